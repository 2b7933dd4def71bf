"""Python: what `ast.parse` of this interpreter accepts; samples are never compiled or run."""

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
"""Longest function or block that is parsed, in characters; longer ones are not counted."""
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
    """Scores a text by the share of its functions, blocks and files that `ast.parse` accepts.

    Attributes:
        headline: key of the main validity metric.
        max_unit: longest function or block that is parsed, in characters.
    """

    headline: str | None = "function_parse_rate"
    max_unit: int = MAX_UNIT

    def score(self, text: str) -> TextScore:
        """Score a sample or window: files joined by file marks, the first and the last one cut."""
        whole_sample = [Piece(offset=0, text=text.replace(FILE_MARK, "\n"))]
        rate, _ = _parse_rate(whole_sample, MAX_FILE)
        return self._score(list(files(text)), {"whole_sample_parse": rate})

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Score one whole file; `ast.parse` is the only check, so `parse_units` has no effect."""
        return self._score([Piece(offset=0, text=text)], {})

    def _score(self, pieces: Sequence[Piece], more: dict[str, Tally]) -> TextScore:
        defs = [unit for piece in pieces for unit in functions(piece)]
        blocks = [unit for piece in pieces for unit in top_level_blocks(piece)]
        function_rate, function_errors = _parse_rate(defs, self.max_unit)
        block_rate, block_errors = _parse_rate(blocks, self.max_unit)
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
    checked = [unit for unit in units if len(unit.text) <= limit]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = [mark for unit in checked if (mark := _syntax_error(unit))]
    return Tally(len(checked) - len(errors), len(checked)), errors


def _syntax_error(unit: Piece) -> Mark | None:
    """The error that `ast.parse` reports for a unit, None if it accepts it.

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
    """Offset in `text` of a line and column, both counted from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1 or len(text)
    return min(start + max(column, 1) - 1, max(len(text) - 1, 0))


SCORER = PythonScorer()
