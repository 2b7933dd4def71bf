"""Characters to ids and back, without loss of account.

Id 0 is the file mark that stands before every document, id 1 stands for every character outside
the vocabulary. An unknown character is charged, never skipped: the probability of id 1 is shared
evenly by all Unicode scalar values outside the vocabulary, so every predictor that speaks these
ids is a proper distribution over all texts and their bits per character compare.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

FILE_MARK = "\uffff"
"""Stands for a file boundary in text; a Unicode noncharacter, so no document holds it."""
MARK_ID = 0
UNKNOWN_ID = 1
SPECIALS = 2
UNICODE_SCALARS = 0x110000 - 0x800

Ids = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters a model knows, in the order of their ids (the first one has id 2)."""

    characters: tuple[str, ...]
    _table: NDArray[np.uint16] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        points = [ord(character) for character in self.characters]
        assert len(set(points)) == len(points) < 2**16 - SPECIALS
        table = np.full(max(points, default=0) + 1, UNKNOWN_ID, np.uint16)
        table[points] = np.arange(SPECIALS, SPECIALS + len(points))
        object.__setattr__(self, "_table", table)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int) -> Self:
        """Keep every character seen at least `min_count` times, in code point order."""
        kept = (c for c, count in counts.items() if count >= min_count and c != FILE_MARK)
        return cls(tuple(sorted(kept)))

    @property
    def size(self) -> int:
        """Number of ids, the two special ones included."""
        return SPECIALS + len(self.characters)

    @property
    def unknown_bits(self) -> float:
        """Bits to name one unknown character, once it is known to be unknown."""
        return math.log2(UNICODE_SCALARS - len(self.characters))

    def encode(self, text: str) -> Ids:
        """Ids of `text`, (len(text),) uint16; file marks become id 0."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        ids = self._table[np.minimum(points, len(self._table) - 1)]
        ids[points >= len(self._table)] = UNKNOWN_ID
        ids[points == ord(FILE_MARK)] = MARK_ID
        return ids

    def decode(self, ids: Iterable[int] | NDArray[np.integer]) -> str:
        """Text of `ids`; id 0 becomes FILE_MARK, id 1 the replacement character."""
        names = (FILE_MARK, "\ufffd", *self.characters)
        return "".join(names[int(i)] for i in ids)

    def encode_documents(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of every document, each with the file mark in front."""
        mark = np.array([MARK_ID], np.uint16)
        return [np.concatenate([mark, self.encode(text)]) for text in texts]

    def save(self, path: Path) -> None:
        """Write as JSON: a list of code points."""
        path.write_text(json.dumps([ord(c) for c in self.characters]), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls(tuple(map(chr, json.loads(path.read_text(encoding="utf-8")))))
