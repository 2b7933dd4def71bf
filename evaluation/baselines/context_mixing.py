"""A model's predictions mixed with what followed the same context before.

For contexts of 1 to 32 characters, the characters that followed their latest occurrences, in the
priming text and in the held-out text read so far, refine the distribution of the model, length by
length. The steps of this refinement are weighted in the logarithmic domain, with weights that are
learned online (Mahoney 2005, "Adaptive Weighing of Context Models for Lossless Data Compression";
Mattern 2012, "Mixing Strategies in Data Compression"). It learns from the text that it scores, so
its bits are comparable with a compressor's, never with those of a fixed model. Like dynamic
evaluation it charges a segment and learns from it afterwards: an arithmetic coder could follow.

Shapes: N characters of all texts, marks included, T of a segment, V ids, K context lengths, L
latest occurrences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from modeling.vocab import MARK_ID, Ids

Bits = NDArray[np.float64]
Floats = NDArray[np.float32]
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
"""Of the contexts, ascending. These constants were chosen on validation text of python-stdlib."""
LATEST = 16
"""Occurrences of a context that are looked at."""
DECAY = 0.5
"""Weight of an occurrence, relative to the next later one."""
NOVELTY = 0.5
"""Weight of the distribution without the context, for each distinct character that followed it."""
ALWAYS = 0.02
"""Added to that weight, so that a context which has always had one follower is not certain."""
FIRST_WEIGHT = 0.3
"""Of a context, before anything was learned; that of the model is 1."""
LEARNING_RATE = 0.003
STEEPEST = 3.0
"""Bound on a gradient, in nats."""
TINY = 1e-9


class ContextMixing:
    """Mixes distributions for held-out documents, read in order.

    Args:
        priming: documents that were read before, each beginning with the file mark.
        held_out: documents to score, likewise.
        size: number of ids, V.
    """

    def __init__(self, priming: Sequence[Ids], held_out: Sequence[Ids], size: int) -> None:
        texts = [*priming, *held_out]
        self._ids = np.concatenate(texts).astype(np.int64)
        begin = sum(map(len, priming))
        self._positions = begin + np.flatnonzero(self._ids[begin:] != MARK_ID)
        self._occurrences = [
            _Occurrences.of(self._ids, hashes, begin) for hashes in _context_hashes(self._ids)
        ]
        lengths = len(LENGTHS)
        first = np.array([1.0] + [FIRST_WEIGHT] * lengths, np.float32)
        # One set of weights for the longest context that was seen, one for the last character.
        self._weights = [np.tile(first, (sets, 1)) for sets in (lengths + 1, size)]
        self._done = 0

    def bits(self, log_probabilities: Floats) -> Bits:
        """Bits of the next characters as the model predicts them, (T,), from (T, V) nats."""
        return _bits(log_probabilities, self._ids[self._next(len(log_probabilities))])

    def charge(self, log_probabilities: Floats) -> Bits:
        """Charge the next characters, and learn from them.

        Args:
            log_probabilities: of the model for them, in nats, (T, V).

        Returns:
            Bits of each, (T,).
        """
        positions = self._next(len(log_probabilities))
        self._done += len(positions)
        steps, longest = self._steps(positions, log_probabilities)
        chosen = (longest, self._ids[positions - 1])
        weights = sum(of[rows] for of, rows in zip(self._weights, chosen, strict=True))
        mixed = _normalised(np.einsum("tk,tkv->tv", weights / len(chosen), steps))
        rows, wanted = np.arange(len(positions)), self._ids[positions]
        error = np.exp(mixed)
        error[rows, wanted] -= 1
        gradient = np.einsum("tv,tkv->tk", error, steps).clip(-STEEPEST, STEEPEST)
        for of, which in zip(self._weights, chosen, strict=True):
            np.subtract.at(of, which, LEARNING_RATE * gradient)
        return _bits(mixed, wanted)

    def _next(self, count: int) -> NDArray[np.int64]:
        return self._positions[self._done : self._done + count]

    def _steps(
        self, positions: NDArray[np.int64], log_probabilities: Floats
    ) -> tuple[Floats, NDArray[np.int64]]:
        """What each context adds to the logarithm, (T, 1 + K, V), and the longest one seen, (T,).

        The first step is the model's own logarithm; the sum of the first k + 1 is the distribution
        that k contexts refined.
        """
        steps = np.empty((len(positions), 1 + len(LENGTHS), log_probabilities.shape[1]), np.float32)
        longest = np.zeros(len(positions), np.int64)
        probabilities = np.exp(_normalised(log_probabilities))
        before = np.log(probabilities + TINY)
        steps[:, 0] = before
        for k, occurrences in enumerate(self._occurrences, 1):
            counts = occurrences.counts(self._ids, positions, log_probabilities.shape[1])
            distinct = np.count_nonzero(counts, axis=1, keepdims=True)
            weight = NOVELTY * distinct + ALWAYS
            total = counts.sum(axis=1, keepdims=True) + weight
            probabilities = (counts + weight * probabilities) / total
            after = np.log(probabilities + TINY)
            steps[:, k] = after - before
            before = after
            longest[distinct[:, 0] > 0] = k
        return steps, longest


@dataclass(frozen=True, slots=True)
class _Occurrences:
    """Where contexts of one length occurred.

    Attributes:
        places: positions in the text, by context, then ascending, (N,).
        ranks: of the positions from `begin` on: their indices in `places`.
        firsts: of the same: indices of the first occurrence of the same context.
    """

    places: NDArray[np.int32]
    ranks: NDArray[np.int32]
    firsts: NDArray[np.int32]
    begin: int

    @classmethod
    def of(cls, ids: NDArray[np.int64], hashes: NDArray[np.uint64], begin: int) -> Self:
        """Index the contexts by their hashes, (N,), which do not collide in any likely text."""
        places = np.argsort(hashes, kind="stable").astype(np.int32)
        sorted_hashes = hashes[places]
        indices = np.arange(len(ids), dtype=np.int32)
        new = np.append(True, sorted_hashes[1:] != sorted_hashes[:-1])
        firsts = np.maximum.accumulate(np.where(new, indices, 0))
        ranks = np.empty_like(indices)
        ranks[places] = indices
        return cls(places, ranks[begin:], firsts[ranks[begin:]], begin)

    def counts(self, ids: NDArray[np.int64], positions: NDArray[np.int64], size: int) -> Floats:
        """Weights of the ids that followed the context of each position before, (T, V)."""
        ranks = self.ranks[positions - self.begin, None] - np.arange(1, LATEST + 1)
        rows, columns = np.nonzero(ranks >= self.firsts[positions - self.begin, None])
        followers = ids[self.places[ranks[rows, columns]]]
        counts = np.bincount(
            rows * size + followers, DECAY**columns, minlength=len(positions) * size
        )
        return counts.reshape(len(positions), size).astype(np.float32)


def _context_hashes(ids: NDArray[np.int64]) -> Iterator[NDArray[np.uint64]]:
    """Hashes of the characters before every position, (N,), for each of LENGTHS."""
    factors = np.random.default_rng(0).integers(0, 2**64, LENGTHS[-1], np.uint64) | np.uint64(1)
    hashes = np.zeros(len(ids), np.uint64)
    for length, factor in enumerate(factors, 1):
        hashes[length:] += (ids[:-length] + 1).astype(np.uint64) * factor
        if length in LENGTHS:
            yield hashes.copy()


def _bits(log_probabilities: Floats, ids: NDArray[np.int64]) -> Bits:
    chosen = log_probabilities[np.arange(len(ids)), ids]
    return -chosen.astype(np.float64) / np.log(2)


def _normalised(logarithms: Floats) -> Floats:
    """Logarithms of distributions, (T, V), shifted so that their probabilities sum to 1."""
    highest = logarithms.max(axis=1, keepdims=True)
    return logarithms - highest - np.log(np.exp(logarithms - highest).sum(axis=1, keepdims=True))
