"""The files of a text, and the pieces that a validity metric checks one by one.

A validity metric checks each unit on its own, so that one fault spoils only one unit. A unit that
was cut is not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modeling.vocab import FILE_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text, in characters.

    Attributes:
        offset: of its first character in the whole text.
        cut_start: whether something may be missing before it.
        cut_end: whether something may be missing after it.
        is_balanced: whether its brackets are known to match.
    """

    offset: int
    text: str
    cut_start: bool = False
    cut_end: bool = False
    is_balanced: bool = False

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.offset + len(self.text)

    @property
    def is_whole(self) -> bool:
        """Whether this is a file from its first to its last character."""
        return not (self.cut_start or self.cut_end)

    def part(self, start: int, end: int, *, is_balanced: bool = False) -> "Piece":
        """The whole unit between two offsets of this piece."""
        text = self.text[start:end]
        return Piece(offset=self.offset + start, text=text, is_balanced=is_balanced)


def files(text: str, *, from_start: bool = False) -> Iterator[Piece]:
    """The files between file marks; the last one is cut, and so is the first unless `from_start`.

    A blank one counts as cut too: nothing between two marks is not a valid file.
    """
    parts = text.split(FILE_MARK)
    offset = 0
    for index, part in enumerate(parts):
        cut_start = not (index or from_start) or not part.strip()
        cut_end = index == len(parts) - 1
        yield Piece(offset=offset, text=part, cut_start=cut_start, cut_end=cut_end)
        offset += len(part) + 1
