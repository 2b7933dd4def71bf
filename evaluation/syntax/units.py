"""The units of a text: its files, and the functions or blocks inside them.

A validity metric checks each unit on its own, so that one fault spoils only one unit. A unit that
was cut is not counted.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modeling.vocab import FILE_MARK

BRACE = r"\}(?:[;, ]?[)\]}])*"
"""A closing brace, and the closers that belong to the same statement."""

RARE = 10
"""An indent that is this many times rarer than the most common one is not the indent of members."""

_STATEMENT = r"[^\s#)\]}]"
"""Start of a Python line that is not blank, a comment, or the end of a signature."""
_FUNCTION = re.compile(r"^([ \t]*)(?:async[ \t]+)?def\b", re.MULTILINE)
_TOP_LEVEL = re.compile(rf"^(?:(@|(?:async[ \t]+)?def\b|class\b)|{_STATEMENT})", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text, in characters.

    Attributes:
        offset: of its first character in the whole text.
        cut_start: whether something may be missing before it.
        cut_end: whether something may be missing after it.
    """

    offset: int
    text: str
    cut_start: bool = False
    cut_end: bool = False

    @property
    def end(self) -> int:
        """Offset after its last character."""
        return self.offset + len(self.text)

    @property
    def is_whole(self) -> bool:
        """Whether this is a file from its first to its last character."""
        return not (self.cut_start or self.cut_end)

    def part(self, start: int, end: int) -> "Piece":
        """The whole unit between two offsets of this piece."""
        return Piece(offset=self.offset + start, text=self.text[start:end])


def files(text: str) -> Iterator[Piece]:
    """The files between file marks; the first and the last one are cut.

    A blank one counts as cut too: nothing between two marks is not a valid file.
    """
    parts = text.split(FILE_MARK)
    offset = 0
    for index, part in enumerate(parts):
        cut_start = index == 0 or not part.strip()
        cut_end = index == len(parts) - 1
        yield Piece(offset=offset, text=part, cut_start=cut_start, cut_end=cut_end)
        offset += len(part) + 1


def closed_blocks(
    piece: Piece, tokens: Sequence[re.Match[str]] = (), *, closer: re.Pattern[str]
) -> Iterator[Piece]:
    """The spans that end in `closer`; a first one that was cut and the rest after the last are not.

    Args:
        piece: to be divided.
        tokens: unused; only the layout matters.
        closer: matches the end of a unit, for instance a brace in column 0.
    """
    start, is_cut = 0, piece.cut_start
    for match in closer.finditer(piece.text):
        if not is_cut:
            yield piece.part(start, match.end())
        start, is_cut = match.end(), False


def member_blocks(
    piece: Piece, tokens: Sequence[re.Match[str]] = (), *, member: re.Pattern[str]
) -> Iterator[Piece]:
    """The spans that end in a brace at the indent of members.

    That indent is the smallest one with at least a tenth as many members as the most common one.
    The most common one may be that of nested classes; statements of the outer classes would then be
    taken for members. A brace with less indent ends the enclosing block; the span after it contains
    the header of the next block and is not a unit.

    Args:
        piece: to be divided.
        tokens: unused; only the layout matters.
        member: matches the start of a member's declaration; group 1 is its indent.
    """
    indents = Counter(len(match[1]) for match in member.finditer(piece.text)) or {4: 1}
    most = max(indents.values())
    indent = min(each for each, times in indents.items() if times >= most / RARE)
    start: int | None = None
    for match in re.finditer(rf"\n([ \t]{{0,{indent}}}){BRACE}", piece.text):
        is_member = len(match[1]) == indent
        if is_member and start is not None:
            yield piece.part(start, match.end())
        start = match.end() if is_member else None


def functions(piece: Piece) -> Iterator[Piece]:
    """Every Python `def` at any depth with its deeper lines, except a last one that was cut."""
    for match in _FUNCTION.finditer(piece.text):
        deeper = re.compile(rf"^[ \t]{{0,{len(match[1])}}}{_STATEMENT}", re.MULTILINE)
        after = deeper.search(piece.text, match.end())
        if (match.start() or not piece.cut_start) and (after or not piece.cut_end):
            yield piece.part(match.start(), after.start() if after else len(piece.text))


def top_level_blocks(piece: Piece) -> Iterator[Piece]:
    """Python's functions and classes in column 0, with their decorators and deeper lines."""
    start: int | None = None
    is_decorated = False
    for match in _TOP_LEVEL.finditer(piece.text):
        if start is not None and not is_decorated:
            yield piece.part(start, match.start())
            start = None
        if start is None and match[1] and (match.start() or not piece.cut_start):
            start = match.start()
        is_decorated = match[1] == "@"
    if start is not None and not piece.cut_end:
        yield piece.part(start, len(piece.text))
