"""Python: what `ast.parse` of this interpreter accepts; samples are never compiled or run."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from evaluation.results import Mark, Tally, TextScore
from evaluation.syntax.bracketed import first, kilobytes, marks, read_piece, structure_tallies
from evaluation.syntax.brackets import Reading, Syntax
from evaluation.syntax.patterns import BRACKETS, LEAF, LEAVES, pattern, quoted, tripled
from evaluation.syntax.units import Piece, files
from modeling.vocab import FILE_MARK

MAX_UNIT = 64_000
"""Longest function or block that is parsed, in characters; longer ones are not counted."""
MAX_FILE = 1_000_000
"""The same for whole files."""

_DECLARED = r"[ \t\f]*+(?:async[ \t]+def|def|class)[ \t]++[^\W\d]\w*+[ \t]*+[(:\[]"
_CODE = (LEAVES, BRACKETS, r"#[^\n]*+")
_LINES = (quoted('"'), quoted("'"))

SYNTAX = Syntax(
    tokens=pattern(*_CODE, tripled('"'), tripled("'"), *_LINES),
    comments=("#",),
    long_literals=(('"""', '"""'), ("'''", "'''")),
    recover=pattern(*_CODE, tripled('"', _DECLARED), tripled("'", _DECLARED), *_LINES),
)

_FUNCTION = re.compile(r"^([ \t\f]*+)(?:async[ \t]+)?def\b", re.MULTILINE)
_STATEMENT = re.compile(r"^([ \t\f]*+)[^\s)\]}]", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^\f*+(?:(@|(?:async[ \t]+)?def\b|class\b)|[^\s)\]}])", re.MULTILINE)
_IS_DECLARED = re.compile(rf"\n{_DECLARED}")


@dataclass(frozen=True, slots=True)
class PythonScorer:
    """Scores a text by the share of its functions, blocks and files that `ast.parse` accepts.

    Attributes:
        syntax: brackets, literals and comments.
        headline: key of the main validity metric.
        max_unit: longest function or block that is parsed, in characters.
    """

    syntax: ClassVar[Syntax] = SYNTAX
    headline: str | None = "function_parse_rate"
    max_unit: int = MAX_UNIT

    def score(self, text: str, *, from_start: bool = False) -> TextScore:
        """Score a sample or window, as in `Scorer`."""
        whole_sample = [Piece(offset=0, text=text.replace(FILE_MARK, "\n"))]
        rate, _ = _parse_rate(whole_sample, MAX_FILE)
        return self._score(list(files(text, from_start=from_start)), {"whole_sample_parse": rate})

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Score one whole file; `ast.parse` is the only check, so `parse_units` has no effect."""
        return self._score([Piece(offset=0, text=text)], {})

    def units(self, piece: Piece) -> Iterator[Piece]:
        """The functions of a piece, in order."""
        return functions(piece, logical_lines(read_piece(SYNTAX, piece)))

    def _score(self, pieces: Sequence[Piece], more: dict[str, Tally]) -> TextScore:
        readings = [read_piece(SYNTAX, piece) for piece in pieces]
        lines = [logical_lines(reading) for reading in readings]
        defs = [u for p, code in zip(pieces, lines, strict=True) for u in functions(p, code)]
        blocks = [u for p, code in zip(pieces, lines, strict=True) for u in top_level(p, code)]
        function_rate, function_errors = _parse_rate(defs, self.max_unit, header="if 1:\n")
        block_rate, block_errors = _parse_rate(blocks, self.max_unit)
        file_rate, file_errors = _parse_rate([p for p in pieces if p.is_whole], MAX_FILE)
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


def logical_lines(reading: Reading) -> str:
    """The code, of the same length, with each statement's first line its only one.

    What is inside strings and comments is blanked, and so are line breaks inside brackets and after
    backslashes. Brackets around a declaration are not trusted: they only seem to match.
    """
    code = reading.code
    joined = [m.span() for m in reading.tokens if m.lastgroup in LEAF and "\n" in m[0]]
    joined += reading.ends.items()
    parts: list[str] = []
    done = 0
    for start, end in sorted(joined):
        if start >= done and not _IS_DECLARED.search(code, start, end):
            parts += code[done:start], code[start:end].replace("\n", " ")
            done = end
    return ("".join(parts) + code[done:]).replace("\\\n", "  ").replace("\\\r\n", "   ")


def functions(piece: Piece, code: str) -> Iterator[Piece]:
    """Every `def` at any depth with its deeper lines, except a last one that was cut.

    Args:
        piece: to be divided.
        code: its logical lines.
    """
    open_units: list[tuple[int, int]] = []
    found: list[tuple[int, int]] = []
    for line in _STATEMENT.finditer(code):
        indent = _width(line[1])
        while open_units and open_units[-1][0] >= indent:
            found.append((open_units.pop()[1], line.start()))
        if _FUNCTION.match(code, line.start()):
            open_units.append((indent, line.start()))
    if not piece.cut_end:
        found += [(start, len(code)) for _, start in open_units]
    for start, end in sorted(found):
        if start or not piece.cut_start:
            yield piece.part(start, end)


def _width(blanks: str) -> int:
    """Columns of an indent, as Python counts them; a form feed resets the count."""
    return len(blanks.rpartition("\f")[2].expandtabs())


def top_level(piece: Piece, code: str) -> Iterator[Piece]:
    """The functions and classes in column 0, with their decorators and deeper lines.

    Args:
        piece: to be divided.
        code: its logical lines.
    """
    start: int | None = None
    is_decorated = False
    for match in _TOP_LEVEL.finditer(code):
        if start is not None and not is_decorated:
            yield piece.part(start, match.start())
            start = None
        if start is None and match[1] and (match.start() or not piece.cut_start):
            start = match.start()
        is_decorated = match[1] == "@"
    if start is not None and not piece.cut_end:
        yield piece.part(start, len(code))


def top_level_blocks(piece: Piece) -> Iterator[Piece]:
    """The blocks of a piece that has not been read yet."""
    yield from top_level(piece, logical_lines(read_piece(SYNTAX, piece)))


def _parse_rate(units: Iterable[Piece], limit: int, header: str = "") -> tuple[Tally, list[Mark]]:
    checked = [unit for unit in units if len(unit.text) <= limit]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = [mark for unit in checked if (mark := _syntax_error(unit, header))]
    return Tally(len(checked) - len(errors), len(checked)), errors


def _syntax_error(unit: Piece, header: str) -> Mark | None:
    """The error that `ast.parse` reports for a unit, None if it accepts it.

    An indented function is parsed as the body of `header`, since dedenting would change its
    strings. A file that is indented is invalid.
    """
    if unit.text[:1] not in (" ", "\t"):
        header = ""
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
