"""The tokens in which two texts are compared: as re-wrapping and formatters leave them.

A token is a word, identifiers whole, or a single character: every other mark, and every character
of the scripts that put no blanks between words. White space is no token, nor are the marks that
formatters add, remove or replace: quotes, commas, semicolons, round brackets, and those that begin
a line of a comment.

Shapes: N characters, T tokens.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LEFT_OUT = "\"'`,;()*#/\\"
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
BASE = np.uint64(0xD1342543DE82EF95)
NONE, WORD, SINGLE = range(3)
"""What a character is: no part of a token, part of a word, a token."""
WITHOUT_BLANKS = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x1AAF),  # Tai Le, New Tai Lue, Tai Tham
    (0x2E80, 0xA4CF),  # Chinese, Japanese, Yi
    (0xA980, 0xAADF),  # Javanese, Myanmar, Cham, Tai Viet
    (0xF900, 0xFAFF),  # Chinese, compatibility
    (0xFF65, 0xFF9F),  # Japanese, half-width
)
"""Code points, both ends included. Beyond the basic plane every character is a token."""
BASIC_PLANE = 0x10000
PIECE = 2**16
"""Characters handled at a time, so that memory stays flat; a word may be cut at a border."""


def tokens(text: str) -> Hashes:
    """A 64-bit hash of every token, in order, (T,)."""
    pieces = [_hashed(text[begin : begin + PIECE]) for begin in range(0, len(text), PIECE)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.uint64)


def scrambled(numbers: Hashes) -> Hashes:
    """Mix all bits: the finaliser of SplitMix64 (Steele et al., 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _hashed(text: str) -> Hashes:
    """A polynomial of the characters of every token, whatever its place."""
    points = code_points(text)
    kinds, codes = _known(points) if text.isascii() else _looked_up(points)
    begins = kinds != NONE
    begins[1:] = kinds[1:] > (kinds[:-1] == WORD).view(np.uint8)  # of a word only the first
    places = np.flatnonzero(begins)
    if not len(places):
        return np.empty(0, np.uint64)
    powers, inverse = _powers()
    codes *= powers[: len(codes)]
    sums = np.cumsum(codes, out=codes)  # their differences: np.add.reduceat takes longer
    ends = np.append(places[1:], len(codes)) - 1
    return scrambled(np.diff(sums[ends], prepend=np.uint64(0)) * inverse[places])


def code_points(text: str) -> NDArray[np.uint8] | NDArray[np.uint32]:
    """The code points of a text, (N,)."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _looked_up(points: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.uint8], Hashes]:
    """The kinds of characters, and their numbers: 0 for those in no token, which end a token."""
    kinds = _kinds()[np.minimum(points, BASIC_PLANE)]
    codes = (points + np.uint64(1)) * MULTIPLIER
    codes ^= codes >> np.uint64(32)
    codes *= kinds != NONE
    return kinds, codes


def _known(points: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.uint8], Hashes]:
    """The same for ASCII, from tables."""
    kinds, codes = _of_ascii()
    return kinds.take(points), codes.take(points)


@cache
def _of_ascii() -> tuple[NDArray[np.uint8], Hashes]:
    return _looked_up(np.arange(128, dtype=np.uint32))


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of an odd number and of its inverse modulo 2^64, both (PIECE,)."""
    inverse = np.uint64(pow(int(BASE), -1, 2**64))
    return _powers_of(BASE), _powers_of(inverse)


def _powers_of(base: np.uint64) -> Hashes:
    return np.cumprod(np.append(np.uint64(1), np.full(PIECE - 1, base, np.uint64)))


@cache
def _kinds() -> NDArray[np.uint8]:
    """The kind of every character of the basic plane, and one for all beyond it."""
    table = np.full(BASIC_PLANE + 1, SINGLE, np.uint8)
    for point, kind in _exceptions():
        table[point] = kind
    for first, last in WITHOUT_BLANKS:
        table[first : last + 1][table[first : last + 1] == WORD] = SINGLE
    return table


def _exceptions() -> Iterator[tuple[int, int]]:
    """Characters of the basic plane that are not a token each."""
    for point in range(BASIC_PLANE):
        character = chr(point)
        if character.isspace() or character in LEFT_OUT:
            yield point, NONE
        elif character.isalnum() or character == "_":
            yield point, WORD
