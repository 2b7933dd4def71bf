"""The scorer of languages with brackets, and the parts that it shares with Python's."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from evaluation.results import Mark, Tally, TextScore
from evaluation.syntax.brackets import Fault, Reading, Syntax, read, scan
from evaluation.syntax.grammar import Grammar, parse_tally
from evaluation.syntax.units import Piece, files

KILO = 1_000
"""Characters per kB, in every metric that counts per kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketScorer:
    """Scores a text by the balance of brackets in its files and blocks.

    Attributes:
        syntax: its brackets, literals and comments.
        blocks: given a piece and its reading, yields the units of the piece in order.
        headline: key of the main validity metric.
        grammar: parses each unit as a second check; None if there is no grammar.
    """

    syntax: Syntax
    blocks: Callable[[Piece, Reading], Iterator[Piece]]
    headline: str | None = "block_balance_rate"
    grammar: Grammar | None = None

    def score(self, text: str, *, from_start: bool = False) -> TextScore:
        """Score a sample or window, as in `Scorer`."""
        return self._score(list(files(text, from_start=from_start)), parse_units=True)

    def score_file(self, text: str, *, parse_units: bool = True) -> TextScore:
        """Score one whole file; in C the grammar takes four fifths of the time."""
        return self._score([Piece(offset=0, text=text)], parse_units=parse_units)

    def units(self, piece: Piece) -> Iterator[Piece]:
        """The units of a piece, in order."""
        return self.blocks(piece, read_piece(self.syntax, piece))

    def _score(self, pieces: Sequence[Piece], *, parse_units: bool) -> TextScore:
        readings = [read_piece(self.syntax, piece) for piece in pieces]
        errors: list[Mark] = []
        blocks: list[Piece] = []
        unbalanced = 0
        for piece, reading in zip(pieces, readings, strict=True):
            units = list(self.blocks(piece, reading))
            broken = [*_broken(piece, reading, units)]
            errors += [*marks(piece, reading.faults), *broken]
            blocks += units
            unbalanced += len(broken)
        whole = [r for p, r in zip(pieces, readings, strict=True) if p.is_whole]
        tallies = {
            "block_balance_rate": Tally(len(blocks) - unbalanced, len(blocks)),
            "file_balance_rate": Tally(sum(not r.faults for r in whole), len(whole)),
            "units_per_kb": Tally(len(blocks), kilobytes(pieces)),
        }
        if self.grammar and parse_units:
            tallies["unit_parse_rate"] = parse_tally(self.grammar, blocks)
        return TextScore(
            tallies=tallies | structure_tallies(pieces, readings), first_error=first(errors)
        )


def _broken(piece: Piece, reading: Reading, units: Iterable[Piece]) -> Iterator[Mark]:
    """The first fault of every unit that is not balanced on its own."""
    tokens, starts = reading.tokens, []
    for unit in units:
        if unit.is_balanced:
            continue
        starts = starts or [token.start() for token in tokens]
        begin = unit.offset - piece.offset
        first_token = bisect_left(starts, begin)
        after = bisect_left(starts, unit.end - piece.offset)
        part = scan(reading.syntax, reading.text, begin, tokens[first_token:after])
        yield from marks(piece, part.faults[:1])


def read_piece(syntax: Syntax, piece: Piece) -> Reading:
    """Read a piece, excusing faults that its cuts explain."""
    return read(syntax, piece.text, cut_start=piece.cut_start, cut_end=piece.cut_end)


def structure_tallies(pieces: Sequence[Piece], readings: Sequence[Reading]) -> dict[str, Tally]:
    """The metrics of bracket structure that all programming languages share.

    Nothing can cross inside a literal that never ends, so its characters are not counted there.
    """
    characters = sum(len(p.text) - r.start for p, r in zip(pieces, readings, strict=True))
    swallowed = sum(reading.swallowed for reading in readings)
    kinds = Counter(fault.kind for reading in readings for fault in reading.faults)
    return {
        "nesting_mismatches_per_kb": Tally(kinds["mismatch"], (characters - swallowed) / KILO),
        "unterminated_literals_per_kb": Tally(kinds["unterminated"], characters / KILO),
        "swallowed_fraction": Tally(swallowed, characters),
    }


def marks(piece: Piece, faults: Iterable[Fault]) -> list[Mark]:
    """The faults of a piece, at their offsets in the whole text."""
    return [Mark(offset=piece.offset + fault.offset, message=fault.message) for fault in faults]


def first(errors: Iterable[Mark]) -> Mark | None:
    """The error with the lowest offset."""
    return min(errors, key=lambda mark: mark.offset, default=None)


def kilobytes(pieces: Iterable[Piece]) -> float:
    """Size of the pieces in thousands of characters."""
    return sum(len(piece.text) for piece in pieces) / KILO
