"""Compare the units of real files with the syntax trees of parsers.

    python -m benchmarks.units [--language LANGUAGE] [--show N] FOLDER...

The truth is tree-sitter's tree, for Python that of `ast`: every function with a body and a name, or
(JavaScript, TypeScript, Lua) one that is assigned to a name. Files that the parser rejects, or that
have a line above MAX_LINE characters, are left out. A unit is the same if its first and last lines
are. Prints a row per folder and language, and N of the differences of each.
"""

import argparse
import ast
import warnings
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from typing import Any

from evaluation.languages import LANGUAGES
from evaluation.languages.python import SYNTAX, PythonScorer, functions, logical_lines
from evaluation.syntax.bracketed import BracketScorer, read_piece
from evaluation.syntax.grammar import parser_of
from evaluation.syntax.units import Piece

MAX_LINE = 2_000
MAX_BYTES = 1_000_000
_ECMASCRIPT = {"function_declaration", "generator_function_declaration", "method_definition"}
DECLARED = {
    "c": {"function_definition"},
    "go": {"function_declaration", "method_declaration"},
    "java": {
        "method_declaration",
        "constructor_declaration",
        "compact_constructor_declaration",
    },
    "javascript": _ECMASCRIPT,
    "lua": {"function_declaration"},
    "rust": {"function_item"},
    "scala": {"function_definition"},
    "typescript": _ECMASCRIPT,
}
ASSIGNED = {"arrow_function", "function_expression", "generator_function"}
OWNERS = {"assignment_statement", "field"}
TOP_LEVEL = {
    "variable_declarator",
    "lexical_declaration",
    "variable_declaration",
    "assignment_expression",
    "expression_statement",
    "export_statement",
}
Lines = Counter[tuple[int, int]]


def is_unit(node: Any, language: str) -> bool:
    """Whether a node of a tree is a function that should be a unit."""
    if node.type in DECLARED[language]:
        return language == "lua" or node.child_by_field_name("body") is not None
    if language == "lua" and node.type == "function_definition":
        above = node.parent.parent if node.parent.type == "expression_list" else node.parent
        is_named = not above.text.startswith((b"[", b"function"))
        return is_named and above.type in OWNERS and above.start_point[0] == node.start_point[0]
    return node.type in ASSIGNED and DECLARED[language] is _ECMASCRIPT and is_assigned(node)


def is_assigned(node: Any) -> bool:
    """Whether a function is the value of an assignment or declaration at the top level."""
    parent = node.parent
    if parent.type not in ("variable_declarator", "assignment_expression"):
        return False
    while parent is not None and parent.type in TOP_LEVEL:
        parent = parent.parent
    return parent is not None and parent.type == "program"


def in_tree(path: Path, text: str, language: str) -> Lines | None:
    """First and last lines of the functions, None if the parser rejects the file."""
    if language == "python":
        return in_python(text)
    scorer = LANGUAGES[language].scorer
    assert isinstance(scorer, BracketScorer) and scorer.grammar
    tree = parser_of(scorer.grammar.sources[-(path.suffix == ".tsx")]).parse(text.encode())
    if tree.root_node.has_error:
        return None
    lines: Lines = Counter()
    pending = [tree.root_node]
    while pending:
        node = pending.pop()
        pending += node.children
        if is_unit(node, language):
            lines[first_line(node, language), last_line(node)] += 1
    return lines


def first_line(node: Any, language: str) -> int:
    """Line on which a function begins; annotations of Scala on lines before are no part of it."""
    if language == "scala":
        return next(
            n for n in node.children if n.type not in ("annotation", "comment")
        ).start_point[0]
    return node.start_point[0]


def last_line(node: Any) -> int:
    """Line of the last token of a node; in Scala some nodes extend to the token after it."""
    while tokens := [
        n for n in node.children if n.end_byte > n.start_byte and "comment" not in n.type
    ]:
        node = tokens[-1]
    return node.end_point[0]


def in_python(text: str) -> Lines | None:
    """The same from `ast`, decorators left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return Counter(
        (node.lineno - 1, (node.end_lineno or 0) - 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def in_units(text: str, language: str) -> Lines:
    """First and last lines of our units, without blanks and comments around them."""
    scorer, piece = LANGUAGES[language].scorer, Piece(offset=0, text=text)
    if isinstance(scorer, PythonScorer):
        reading = read_piece(SYNTAX, piece)
        code, units = reading.code, functions(piece, logical_lines(reading))
    else:
        assert isinstance(scorer, BracketScorer)
        reading = read_piece(scorer.syntax, piece)
        code, units = reading.text, scorer.blocks(piece, reading)
    breaks = [offset for offset, character in enumerate(text) if character == "\n"]
    lines: Lines = Counter()
    for unit in units:
        inside = code[unit.offset : unit.end]
        start = unit.offset + len(inside) - len(inside.lstrip())
        end = unit.offset + len(inside.rstrip()) - 1
        lines[bisect_left(breaks, start), bisect_left(breaks, end)] += 1
    return lines


def compare(folder: Path, language: str, shown: int) -> None:
    """Print the row of one language in one folder."""
    totals: Counter[str] = Counter()
    others: list[str] = []
    for path in sorted(folder.rglob("*")):
        if not (path.name.endswith(LANGUAGES[language].extensions) and path.is_file()):
            continue
        content = path.read_bytes()
        text = content.decode(errors="replace").replace("\r\n", "\n")
        is_short = len(content) <= MAX_BYTES and max(map(len, text.split("\n"))) <= MAX_LINE
        truth = in_tree(path, text, language) if is_short else None
        if truth is None:
            totals["left out"] += 1
            continue
        found = in_units(text, language)
        totals["files"] += 1
        totals["tree"] += truth.total()
        totals["units"] += found.total()
        totals["same"] += (truth & found).total()
        others += (
            f"  only in the tree: {path}:{first + 1}-{last + 1}" for first, last in truth - found
        )
        others += (
            f"  only in units: {path}:{first + 1}-{last + 1}" for first, last in found - truth
        )
    if totals["files"]:
        _print_row(folder.name, language, totals)
        others.sort(key=lambda line: line.partition(": ")[2])
        _print_some(others, shown)


def _print_row(folder: str, language: str, totals: Counter[str]) -> None:
    counts = [totals[key] for key in ("files", "left out", "tree", "units", "same")]
    missed = 100 - 100 * totals["same"] / max(totals["tree"], 1)
    print("|", " | ".join(map(str, (folder, language, *counts))), "|", f"{missed:.2f} % |")


def _print_some(lines: list[str], most: int) -> None:
    """Print lines, evenly spread if there are too many."""
    if lines and most:
        print(*lines[:: -(-len(lines) // most)], sep="\n")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--language", choices=(*DECLARED, "python"), action="append")
    parser.add_argument("--show", type=int, default=0, metavar="N")
    options = parser.parse_args()
    print("| folder | language | files | left out | in the tree | units | same lines | missed |")
    print("|---|---|---|---|---|---|---|---|")
    for folder in options.folders:
        for language in options.language or (*DECLARED, "python"):
            compare(folder, language, options.show)


if __name__ == "__main__":
    main()
