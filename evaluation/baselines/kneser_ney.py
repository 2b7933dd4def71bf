"""One order of an interpolated modified Kneser-Ney model: discounts and back-off weights.

Modified Kneser-Ney smoothing of Chen and Goodman, "An Empirical Study of Smoothing Techniques for
Language Modeling" (1998): the count of an n-gram is reduced by D1, D2 or D3 if it is 1, 2 or more,
and the mass removed from a context's n-grams is distributed over all ids by the order below.

Shapes: V ids in the vocabulary, U distinct k-grams of this order, C of the order below (the
contexts), B contexts per query.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

MISSING = -1
"""Rank of a k-gram that was never seen, or that would cross a file mark."""
USUAL_DISCOUNTS = (0.5, 1.0, 1.5)
"""Used where an order has too few n-grams to estimate its own."""


@dataclass(frozen=True, slots=True)
class Level:
    """The distributions of one order, to be interpolated with those of the order below.

    Attributes:
        keys: rank of the context times V plus the last id, ascending, (U,); the index of a k-gram
            is its rank.
        counts: occurrences of each k-gram, or the number of distinct ids before it, (U,).
        discounts: subtracted from a count of 0, 1, 2, 3 or more, (4,).
        totals: sum of the counts after each context, (C,).
        backoff: weight of the order below in each context, (C,).
        size: V.
    """

    keys: NDArray[np.int64]
    counts: Integers
    discounts: Floats
    totals: Floats
    backoff: Floats
    size: int

    def find(self, contexts: Integers, ids: Integers) -> NDArray[np.int64]:
        """Rank of each context followed by its id, MISSING where that was never seen, (B,)."""
        if not len(self.keys):
            return np.full(len(contexts), MISSING)
        # After a MISSING context every key is negative, so it is not found either.
        wanted = contexts.astype(np.int64) * self.size + ids
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, places, MISSING)

    def mix(self, probabilities: Floats, contexts: Integers, ranks: Integers) -> None:
        """Interpolate in place the probability of one id per context.

        Args:
            probabilities: those of the order below, (B,).
            contexts: rank of each context, (B,).
            ranks: result of `find` for these contexts and ids, (B,).
        """
        known, seen = contexts >= 0, ranks >= 0
        probabilities[known] *= self.backoff[contexts[known]]
        probabilities[seen] += self._share(ranks[seen], contexts[seen])

    def spread(self, distributions: Floats, contexts: Integers) -> None:
        """Interpolate in place the probabilities of all ids, (B, V), for contexts (B,)."""
        rows = np.flatnonzero(contexts >= 0)
        known = contexts[rows]
        begins = np.searchsorted(self.keys, known * self.size)
        children = np.searchsorted(self.keys, (known + 1) * self.size) - begins
        firsts = children.cumsum() - children
        ranks = np.arange(children.sum()) + np.repeat(begins - firsts, children)
        distributions[rows] *= self.backoff[known, None]
        cells = np.repeat(rows, children), self.keys[ranks] % self.size
        distributions[cells] += self._share(ranks, np.repeat(known, children))

    def _share(self, ranks: Integers, contexts: Integers) -> Floats:
        counts = self.counts[ranks]
        return (counts - self.discounts[np.minimum(counts, 3)]) / self.totals[contexts]


def smooth(keys: NDArray[np.int64], counts: Integers, num_contexts: int, size: int) -> Level:
    """Estimate one order from its k-grams and their counts.

    A context that is never continued backs off to the order below entirely.
    """
    contexts = keys // size
    discounts = _discounts(counts)
    totals = np.bincount(contexts, counts, num_contexts).astype(np.float64)
    removed = np.bincount(contexts, discounts[np.minimum(counts, 3)], num_contexts)
    continued = totals > 0
    totals[~continued] = 1.0
    backoff = np.where(continued, removed / totals, 1.0)
    return Level(keys, counts, discounts, totals, backoff, size)


def _discounts(counts: Integers) -> Floats:
    """D1, D2, D3 from the number of k-grams seen once to four times; D0 = 0.

    On little text the estimate may be undefined or outside its range 0 < Dj <= j. A discount of 0
    would give an unseen id the probability 0, so USUAL_DISCOUNTS are used then.
    """
    once, twice, thrice, four = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if min(once, twice, thrice) == 0:
        return np.array([0.0, *USUAL_DISCOUNTS])
    y = once / (once + 2 * twice)
    estimated = [1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice]
    in_range = all(0 < discount <= j for j, discount in enumerate(estimated, start=1))
    return np.array([0.0, *(estimated if in_range else USUAL_DISCOUNTS)])
