"""Clusters of near-copies by their shingles, and what finding near-copies needs of the texts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from corpora.chunking import grouped
from corpora.dedup.characters import Profiles, Runs
from corpora.dedup.minhash import Hashes, Numbers, Signatures, candidate_pairs, clusters, verified
from corpora.document import Outcome

COMPARED_CHARACTERS = 32 * 2**20
"""Characters of text whose shingles are in memory at a time, so that memory stays flat even where
much is a near-copy. Texts linked by one chain of candidates are compared together, however large.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A text and another one that has almost the same characters, by position."""

    position: int
    other: int
    similarity: float


class Texts(Protocol):
    """The readable files, by position: what was computed of all, and what reads some again."""

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Of the files that passed every rule on their own content, in order."""
        ...

    @property
    def signatures(self) -> Signatures:
        """MinHash of the shingles of the same files, (N, P)."""
        ...

    @property
    def profiles(self) -> Profiles:
        """Of the same files."""
        ...

    def shingles(self, positions: Sequence[int]) -> Mapping[int, Hashes]:
        """The shingles of these files."""
        ...

    def runs(self, positions: Sequence[int]) -> Runs:
        """MinHash of the runs of characters of these files, (len(positions), P)."""
        ...

    def in_order(
        self, function: Callable[[Signatures], Numbers], bands: Iterable[Signatures]
    ) -> Iterable[Numbers]:
        """Apply a function to every band of the signatures."""
        ...

    def first_twins(self, others: Mapping[int, Sequence[int]]) -> Iterable[Twin]:
        """For every file the first similar one of its others, if any."""
        ...


def near_clusters(
    texts: Texts, distinct: Sequence[int], threshold: float, compared_characters: int
) -> dict[int, int]:
    """For the position of every distinct text, the first position in its cluster."""
    pairs = candidate_pairs(texts.signatures[distinct], threshold, texts.in_order)
    near: list[tuple[int, int]] = []
    sizes = [texts.outcomes[position].characters or 0 for position in distinct]
    for group in _groups(pairs, sizes, compared_characters):
        numbers = np.unique(group).tolist()
        read = texts.shingles([distinct[number] for number in numbers])
        known = {number: read[distinct[number]] for number in numbers}
        near += [pair[:2] for pair in verified(group, known.__getitem__, threshold)]
    heads = clusters(len(distinct), near)
    return {position: distinct[head] for position, head in zip(distinct, heads, strict=True)}


def _groups(pairs: Numbers, sizes: Sequence[int], limit: int) -> Iterator[Numbers]:
    """Cut candidates, (K, 2), into groups of about `limit` characters that share no document."""
    heads: list[int] = clusters(len(sizes), pairs.tolist()).tolist()
    chains: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for first, second in pairs.tolist():
        chains[heads[first]].append((first, second))

    def size(chain: Sequence[tuple[int, int]]) -> int:
        return sum(sizes[number] for number in {number for pair in chain for number in pair})

    for group in grouped(list(chains.values()), limit, size):
        yield np.array([pair for chain in group for pair in chain], np.int64)
