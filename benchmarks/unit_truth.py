"""How many functions of real files are found as units, against the syntax trees of tree-sitter.

    python -m benchmarks.unit_truth FOLDER LANGUAGE [EVERY]

For Go, Rust, JavaScript and TypeScript. Files that the grammar cannot parse, or that have a line
above MAX_LINE characters, are left out. EVERY n takes every n-th file. Prints the functions in the
trees, the units found, those with the same first and last line, and some of the others.
"""

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.languages import LANGUAGES
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.grammar import parser_of
from evaluation.syntax.units import Piece

MAX_LINE = 2_000
SHOWN = 10
DECLARED = {
    "go": {"function_declaration", "method_declaration"},
    "rust": {"function_item"},
    "javascript": {
        "function_declaration",
        "generator_function_declaration",
        "method_definition",
    },
}
DECLARED["typescript"] = DECLARED["javascript"]
ASSIGNED = {"arrow_function", "function_expression", "generator_function"}
TOP_LEVEL = {
    "variable_declarator",
    "lexical_declaration",
    "variable_declaration",
    "assignment_expression",
    "expression_statement",
    "export_statement",
}
Lines = tuple[int, int]


def functions(node: Any, declared: set[str]) -> Iterator[Any]:
    """Every function of a tree that is a unit: with a body, and named or assigned."""
    pending = [node]
    while pending:
        node = pending.pop()
        pending += node.children
        if node.type in declared:
            if node.child_by_field_name("body"):
                yield node
        elif node.type in ASSIGNED and "method_definition" in declared and is_assigned(node):
            yield node


def is_assigned(node: Any) -> bool:
    """Whether a function is the value of an assignment or declaration at the top level."""
    parent = node.parent
    if parent.type not in ("variable_declarator", "assignment_expression"):
        return False
    while parent is not None and parent.type in TOP_LEVEL:
        parent = parent.parent
    return parent is not None and parent.type == "program"


def compare(path: Path, language: str, scorer: BracketScorer) -> tuple[Counter, Counter] | None:
    """First and last lines of the functions in the tree, and of the units; None to leave it out."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    if not scorer.grammar or max(map(len, text.split("\n"))) > MAX_LINE:
        return None
    tree = parser_of(scorer.grammar.sources[-(path.suffix == ".tsx")]).parse(text.encode())
    if tree.root_node.has_error:
        return None
    nodes = functions(tree.root_node, DECLARED[language])
    truth = Counter((node.start_point[0], node.end_point[0]) for node in nodes)
    breaks = [offset for offset, character in enumerate(text) if character == "\n"]
    units = scorer.units(Piece(offset=0, text=text))
    return truth, Counter(
        (bisect_left(breaks, u.offset), bisect_left(breaks, u.end)) for u in units
    )


def main(folder: Path, language: str, every: int = 1) -> None:
    """Compare all files of a language below a folder."""
    scorer, extensions = LANGUAGES[language].scorer, LANGUAGES[language].extensions
    assert isinstance(scorer, BracketScorer)
    paths = sorted(p for p in folder.rglob("*") if p.name.endswith(extensions) and p.is_file())
    totals: Counter[str] = Counter()
    others: list[str] = []
    for path in paths[::every]:
        result = compare(path, language, scorer)
        if result is None:
            totals["files left out"] += 1
            continue
        truth, found = result
        totals["files"] += 1
        totals["functions"] += truth.total()
        totals["units"] += found.total()
        totals["same lines"] += (truth & found).total()
        others += (f"not found: {path}:{line + 1}" for line, _ in truth - found)
        others += (f"not in the tree: {path}:{line + 1}" for line, _ in found - truth)
    print(language, dict(totals))
    print(*others[:: max(1, len(others) // SHOWN)], sep="\n")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4 or sys.argv[2] not in DECLARED:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
