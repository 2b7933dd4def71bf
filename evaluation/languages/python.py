"""Python: what parses, by the interpreter that runs this; samples are never compiled or run."""

import ast
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.results import Mark, Tally, TextScore
from evaluation.syntax.bracketed import first, kilobytes, marks, read_piece, structure_tallies
from evaluation.syntax.brackets import BRACKETS, LEAVES, Syntax, pattern, quoted, tripled
from evaluation.syntax.units import Piece, files, functions, top_level_blocks
from modeling.vocab import FILE_MARK

MAX_UNIT = 64_000
"""Longest function or block that is parsed, in characters; longer ones are not judged."""
MAX_FILE = 1_000_000
"""The same for whole files."""

SYNTAX = Syntax(
    tokens=pattern(
        LEAVES, BRACKETS, r"#[^\n]*+", tripled('"'), tripled("'"), quoted('"'), quoted("'")
    ),
    long_literals=(('"""', '"""'), ("'''", "'''")),
)


@dataclass(frozen=True, slots=True)
class PythonScorer:
    """Judges a text by the share of its functions, blocks and files that `ast.parse` accepts."""

    headline: str | None = "function_parse_rate"

    def score(self, text: str) -> TextScore:
        """Judge a sample or window: files joined by file marks, the first and the last one cut."""
        whole_sample = [Piece(offset=0, text=text.replace(FILE_MARK, "\n"))]
        rate, _ = _parse_rate(whole_sample, MAX_FILE)
        return _score(list(files(text)), {"whole_sample_parse": rate})

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Judge one whole file; `ast.parse` is the only opinion, so it is always asked."""
        return _score([Piece(offset=0, text=text)], {})


def _score(pieces: Sequence[Piece], more: dict[str, Tally]) -> TextScore:
    defs = [unit for piece in pieces for unit in functions(piece)]
    blocks = [unit for piece in pieces for unit in top_level_blocks(piece)]
    function_rate, function_errors = _parse_rate(defs, MAX_UNIT)
    block_rate, block_errors = _parse_rate(blocks, MAX_UNIT)
    file_rate, file_errors = _parse_rate([p for p in pieces if p.is_whole], MAX_FILE)
    readings = [read_piece(SYNTAX, piece) for piece in pieces]
    faults = [m for p, r in zip(pieces, readings, strict=True) for m in marks(p, r.faults)]
    tallies = {
        "function_parse_rate": function_rate,
        "toplevel_parse_rate": block_rate,
        "file_parse_rate": file_rate,
        "units_per_kb": Tally(len(defs), kilobytes(pieces)),
    }
    return TextScore(
        tallies=tallies | more | structure_tallies(pieces, readings),
        first_error=first(function_errors + block_errors + file_errors) or first(faults),
    )


def _parse_rate(units: Iterable[Piece], limit: int) -> tuple[Tally, list[Mark]]:
    judged = [unit for unit in units if len(unit.text) <= limit]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = [mark for unit in judged if (mark := _syntax_error(unit))]
    return Tally(len(judged) - len(errors), len(judged)), errors


def _syntax_error(unit: Piece) -> Mark | None:
    """The place where `ast.parse` gives up on a unit, None if it accepts it.

    An indented unit is parsed as the body of an `if`, since dedenting would change its strings.
    """
    header = "if 1:\n" if unit.text[:1] in (" ", "\t") else ""
    try:
        ast.parse(header + unit.text.removeprefix("\ufeff"))
    except SyntaxError as error:
        line = (error.lineno or 1) - header.count("\n")
        return Mark(
            offset=unit.offset + _offset(unit.text, line, error.offset or 1), message=error.msg
        )
    except (ValueError, MemoryError, RecursionError) as error:
        return Mark(offset=unit.offset, message=f"{type(error).__name__}: {error}")
    return None


def _offset(text: str, line: int, column: int) -> int:
    """Offset in `text` of a place that the parser named, both counted from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1 or len(text)
    return min(start + max(column, 1) - 1, max(len(text) - 1, 0))


SCORER = PythonScorer()
