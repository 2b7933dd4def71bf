"""Near-duplicates: sketches propose pairs, exact Jaccard similarity decides.

A text is the set of its shingles, the hashes of its runs of five tokens. Its signature is a sample
of fixed size, in which two sets agree in proportion to their similarity. Documents that agree in a
whole band of the signature are candidates, and every candidate is verified on the shingles
themselves. So no dissimilar pair is joined, and of pairs exactly at the threshold at most one in
100,000 should be missed. The same texts give the same result on every machine.

The cost: 512 bytes a document for signatures, 30 CPU-seconds a gigabyte. Shingles of
candidates are computed again, so those of all documents need not be kept.

Shapes: N documents, S shingles of one of them, K pairs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from corpora.dedup.tokens import MULTIPLIER, Hashes, scrambled, tokens

Numbers = NDArray[np.int64]
Signatures = NDArray[np.uint16]
InOrder = Callable[[Callable[[Signatures], Numbers], Iterable[Signatures]], Iterable[Numbers]]
"""Applies a function to every item, and yields the results in order."""

SHINGLE_TOKENS = 5
PERMUTATIONS = 256
SEED = 1
MAX_MISS = 1e-5
"""The share of pairs exactly at the threshold that may fail to become candidates."""
MAX_DEVIATIONS = 5
"""Standard deviations by which a signature may understate a similarity."""
NEIGHBOURS = 16
"""Partners tried for a document in one band; bounds time and memory if all are similar.

On the 32,004 C files of Linux 6.1 this puts no document into a wrong cluster at thresholds 0.7 and
0.8, and five at 0.5; 64 partners put none there.
"""
CACHED_SHINGLES = 64
COMPARED_AT_ONCE = 8192


def shingles(text: str, width: int = SHINGLE_TOKENS) -> Hashes:
    """The distinct hashes of `token_runs`, ascending, (S,) uint64."""
    runs = token_runs(text, width)
    runs.sort()
    return runs[np.append(True, runs[1:] != runs[:-1])[: len(runs)]]  # np.unique: twice the time


def token_runs(text: str, width: int = SHINGLE_TOKENS) -> Hashes:
    """Hash every run of `width` tokens, in order: the shingles, some of them repeated.

    A text of fewer tokens is one shingle, so it is similar only to a text of the same tokens. There
    is none for a text without tokens.
    """
    hashes = tokens(text)
    width = min(width, len(hashes))
    count = len(hashes) - width + 1 if width else 0
    runs = hashes[:count].copy()
    for offset in range(1, width):
        runs *= MULTIPLIER
        runs += hashes[offset : offset + count]
    return runs


def sketch(texts: Sequence[Hashes]) -> Signatures:
    """MinHash (Broder, 1997) of sets of hashes, by rensa.

    Args:
        texts: the shingles of each document; repeated ones change nothing.

    Returns:
        The low bits of every permutation's least hash, (len(texts), P) uint16.
    """
    from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] (a native module)

    if not texts:
        return np.zeros((0, PERMUTATIONS), np.uint16)
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.uint64)
    hashes = np.concatenate(texts)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, PERMUTATIONS, SEED)
    return np.array(matrix.to_rows(), np.uint32).astype(np.uint16)


def similarity(first: Hashes, second: Hashes) -> float:
    """Jaccard similarity: shared shingles out of all; 0 if there are none."""
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / max(len(first) + len(second) - shared, 1)


def candidate_pairs(signatures: Signatures, threshold: float, in_order: InOrder = map) -> Numbers:
    """Propose the pairs whose similarity may reach the threshold.

    If more than 16 documents agree in a band, each is paired with the 16 before it only: if they
    are similar, that joins them as well.

    Args:
        signatures: (N, 256) uint16, by document number.
        threshold: more than 0, at most 1.
        in_order: applies a function to every band, perhaps in other processes.

    Returns:
        (K, 2) int64, the smaller number first, ascending.
    """
    deviation = math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    least = PERMUTATIONS * (threshold - MAX_DEVIATIONS * deviation)
    count, rows = len(signatures), rows_per_band(threshold)
    codes = np.empty(0, np.int64)
    begins = range(0, PERMUTATIONS - rows + 1, rows)
    for proposed in in_order(neighbours, (signatures[:, i : i + rows] for i in begins)):
        found = _without(codes, proposed)
        if len(found):
            kept = _agreeing(signatures, *np.divmod(found, count)) >= least
            codes = np.sort(np.concatenate([codes, found[kept]]), kind="stable")
    return np.stack(np.divmod(codes, max(count, 1)), axis=1)


def rows_per_band(threshold: float) -> int:
    """The longest band at which a pair that just reaches the threshold is still proposed.

    A pair of similarity s agrees in none of b bands of r permutations with probability (1 - s^r)^b:
    Leskovec, Rajaraman and Ullman, "Mining of massive datasets", section 3.4.
    """
    assert 0 < threshold <= 1
    misses = (
        ((1 - threshold**rows) ** (PERMUTATIONS // rows), rows)
        for rows in range(1, PERMUTATIONS + 1)
    )
    return max(rows for miss, rows in misses if miss <= MAX_MISS or rows == 1)


def verified(
    pairs: Numbers, shingles_of: Callable[[int], Hashes], threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Verify candidates, except pairs whose documents earlier pairs have joined.

    Args:
        pairs: (K, 2), from `candidate_pairs`.
        shingles_of: computes the shingles of a document; called again for a document after 64
            others.
        threshold: the least Jaccard similarity.

    Yields:
        Both numbers of a pair and its similarity.
    """
    cached = lru_cache(CACHED_SHINGLES)(shingles_of)
    forest = _Forest()
    for first, second in pairs.tolist():
        if forest.root(first) != forest.root(second):
            alike = similarity(cached(first), cached(second))
            if alike >= threshold:
                forest.join(first, second)
                yield first, second, alike


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> Numbers:
    """The cluster of each document, as the smallest document number in it, (N,) int64.

    Documents are in one cluster if a chain of pairs connects them.
    """
    forest = _Forest()
    for first, second in pairs:
        forest.join(first, second)
    return np.array([forest.root(number) for number in range(count)], np.int64)


class _Forest:
    """Union-find: disjoint sets of numbers, each identified by its smallest."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def root(self, number: int) -> int:
        """The smallest number of the set; compresses the path to it."""
        parent = self._parents.get(number, number)
        while parent != number:
            grandparent = self._parents.get(parent, parent)
            self._parents[number] = grandparent
            number, parent = parent, grandparent
        return number

    def join(self, first: int, second: int) -> None:
        """Merge two sets."""
        low, high = sorted((self.root(first), self.root(second)))
        self._parents[high] = low


def neighbours(band: Signatures) -> Numbers:
    """Pairs of documents that agree in a band, (N, rows), each once, as smaller * N + larger."""
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:
        keys = scrambled(keys * MULTIPLIER + column)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    found = [np.empty(0, np.int64)]
    for distance in range(1, NEIGHBOURS + 1):
        same = keys[distance:] == keys[:-distance]
        if not same.any():
            break
        found.append(order[:-distance][same] * len(band) + order[distance:][same])
    return np.concatenate(found)


def _without(known: Numbers, codes: Numbers) -> Numbers:
    """Those of the codes that are not known; the known ones are ascending."""
    if not len(known):
        return codes
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return codes[known[places] != codes]


def _agreeing(signatures: Signatures, first: Numbers, second: Numbers) -> Numbers:
    """Count the permutations in which each pair agrees, (K,)."""
    parts = [
        np.count_nonzero(signatures[first[i:j]] == signatures[second[i:j]], axis=1)
        for i in range(0, len(first), COMPARED_AT_ONCE)
        for j in [i + COMPARED_AT_ONCE]
    ]
    return np.concatenate(parts)
