"""Characters to ids and back, so that every character of a text is charged.

Id 0 is the file mark that precedes every document, id 1 represents every character outside the
vocabulary. An unknown character is charged, never skipped: the probability of id 1 is divided
evenly among all Unicode scalar values outside the vocabulary. So every predictor over these ids is
a proper distribution over all texts, and bits per character are comparable.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from system.files import write_whole

FILE_MARK = "\uffff"
"""Marks a file boundary in text; a Unicode noncharacter, which no document contains."""
MARK_ID = 0
UNKNOWN_ID = 1
SPECIALS = 2
UNICODE_SCALARS = 0x110000 - 0x800
LARGE = 5_000
"""Ids from which on fewer characters are sampled and scored.

The cost of a character is proportional to the number of ids: with 20,000, writing and scoring 20
samples of 10,000 characters at each of three temperatures takes over three minutes on two cores.
"""

Ids = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters that a model knows, in the order of their ids, which begin at 2."""

    characters: tuple[str, ...]
    _table: NDArray[np.uint16] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        points = [ord(character) for character in self.characters]
        if not len(set(points)) == len(points) < 2**16 - SPECIALS:
            raise ValueError(f"{len(points)} characters: too many for 16 bits, or not distinct")
        table = np.full(max(points, default=0) + 1, UNKNOWN_ID, np.uint16)
        table[points] = np.arange(SPECIALS, SPECIALS + len(points))
        object.__setattr__(self, "_table", table)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int) -> Self:
        """Keep the characters that occur at least `min_count` times, in code point order."""
        kept = (c for c, count in counts.items() if count >= min_count and c != FILE_MARK)
        return cls(tuple(sorted(kept)))

    @property
    def size(self) -> int:
        """Number of ids, including the two special ones."""
        return SPECIALS + len(self.characters)

    @property
    def unknown_bits(self) -> float:
        """Bits that identify an unknown character, given that it is unknown."""
        return math.log2(UNICODE_SCALARS - len(self.characters))

    def affordable(self, characters: int) -> int:
        """Number of characters to read or write instead of `characters`, at least 1.

        It costs no more than `characters` would with a vocabulary of LARGE ids.
        """
        return max(1, characters * LARGE // max(LARGE, self.size))

    def encode(self, text: str) -> Ids:
        """Return the ids of `text`, (len(text),) uint16; file marks become id 0."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        ids = self._table[np.minimum(points, len(self._table) - 1)]
        ids[points >= len(self._table)] = UNKNOWN_ID
        ids[points == ord(FILE_MARK)] = MARK_ID
        return ids

    def decode(self, ids: Iterable[int] | NDArray[np.integer]) -> str:
        """Return the text of `ids`; id 0 becomes FILE_MARK, id 1 the replacement character."""
        names = (FILE_MARK, "\ufffd", *self.characters)
        return "".join(names[int(i)] for i in ids)

    def encode_documents(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of every document, each preceded by the file mark."""
        mark = np.array([MARK_ID], np.uint16)
        return [np.concatenate([mark, self.encode(text)]) for text in texts]

    def save(self, path: Path) -> None:
        """Write a JSON list of code points, atomically."""
        write_whole(path, json.dumps([ord(c) for c in self.characters]).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls(tuple(map(chr, json.loads(path.read_text(encoding="utf-8")))))
