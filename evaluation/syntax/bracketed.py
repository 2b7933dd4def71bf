"""The scorer of languages whose structure is in their brackets, and what it shares with others."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from evaluation.results import Mark, Tally, TextScore
from evaluation.syntax.brackets import Fault, Reading, Syntax, read
from evaluation.syntax.grammar import parse_tally
from evaluation.syntax.units import Piece, files

KILO = 1_000
"""Characters in the kilobyte of every metric per kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketScorer:
    """Judges a text by the balance of its files and blocks.

    Attributes:
        blocks: the units of one piece, in order.
        extensions: of the file names of this language.
        headline: key of the metric that stands for validity.
        frame: what a grammar needs before and behind a block to read it as a file; None where no
            grammar gives a second opinion.
    """

    language: str
    syntax: Syntax
    blocks: Callable[[Piece], Iterator[Piece]]
    extensions: tuple[str, ...]
    headline: str | None = "block_balance_rate"
    frame: tuple[str, str] | None = ("", "")

    def score(self, text: str) -> TextScore:
        """Judge a sample or window: files joined by file marks, the first and the last one cut."""
        return self._score(list(files(text)), parse_units=True)

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Judge one whole file; the grammar takes C four fifths of the time."""
        return self._score([Piece(offset=0, text=text)], parse_units=parse_units)

    def _score(self, pieces: Sequence[Piece], *, parse_units: bool) -> TextScore:
        readings: list[Reading] = []
        errors: list[Mark] = []
        blocks: list[Piece] = []
        unbalanced = 0
        for piece in pieces:
            units = list(self.blocks(piece))
            asked = {edge - piece.offset for unit in units for edge in (unit.offset, unit.end)}
            reading = read_piece(self.syntax, piece, asked)
            broken = [*self._broken(piece, reading, units)]
            readings.append(reading)
            errors += [*marks(piece, reading.faults), *broken]
            blocks += units
            unbalanced += len(broken)
        whole = [r for p, r in zip(pieces, readings, strict=True) if p.is_whole]
        tallies = {
            "block_balance_rate": Tally(len(blocks) - unbalanced, len(blocks)),
            "file_balance_rate": Tally(sum(not r.faults for r in whole), len(whole)),
            "units_per_kb": Tally(len(blocks), kilobytes(pieces)),
        }
        if self.frame and parse_units:
            tallies["unit_parse_rate"] = parse_tally(self.language, blocks, self.frame)
        return TextScore(
            tallies=tallies | structure_tallies(pieces, readings), first_error=first(errors)
        )

    def _broken(self, piece: Piece, reading: Reading, units: Iterable[Piece]) -> Iterator[Mark]:
        """The first fault of every unit that is not balanced in itself.

        In a whole file without faults a span is balanced if the same bracket is the innermost open
        one at both its ends; all other units are read again, each on its own.
        """
        innermost = {0: -1, **reading.innermost} if piece.is_whole and not reading.faults else {}
        for unit in units:
            before = innermost.get(unit.offset - piece.offset)
            if before is None or before != innermost.get(unit.end - piece.offset):
                yield from marks(unit, read(self.syntax, unit.text).faults[:1])


def read_piece(syntax: Syntax, piece: Piece, asked: Collection[int] = frozenset()) -> Reading:
    """Read a piece with the excuses that its cuts give it."""
    return read(syntax, piece.text, cut_start=piece.cut_start, cut_end=piece.cut_end, asked=asked)


def structure_tallies(pieces: Sequence[Piece], readings: Sequence[Reading]) -> dict[str, Tally]:
    """The metrics of bracket structure that all languages of code share, over the parts judged."""
    judged = sum(len(p.text) - r.start for p, r in zip(pieces, readings, strict=True))
    faults = [fault for reading in readings for fault in reading.faults]
    kinds = Counter(fault.kind for fault in faults)
    return {
        "nesting_mismatches_per_kb": Tally(kinds["mismatch"], judged / KILO),
        "unterminated_literals_per_kb": Tally(kinds["unterminated"], judged / KILO),
        "swallowed_fraction": Tally(sum(fault.swallowed for fault in faults), judged),
    }


def marks(piece: Piece, faults: Iterable[Fault]) -> list[Mark]:
    """The places of faults in the whole text."""
    return [Mark(offset=piece.offset + fault.offset, message=fault.message) for fault in faults]


def first(errors: Iterable[Mark]) -> Mark | None:
    """The error that stands first in the text."""
    return min(errors, key=lambda mark: mark.offset, default=None)


def kilobytes(pieces: Iterable[Piece]) -> float:
    """Size of the pieces in thousands of characters."""
    return sum(len(piece.text) for piece in pieces) / KILO
