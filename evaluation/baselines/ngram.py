"""Kneser-Ney character n-grams of every order from one count: the baselines of the ladder.

Order 1 is the smoothed unigram and order 0 the uniform distribution over all ids, including the two
special ones, so every row of the ladder scores the same characters.

Every n-gram is counted exactly, without hashing: the key of a k-gram is the rank of its first k - 1
ids times V plus its last id, so that one sort per order ranks them all and places the continuations
of a context next to each other. Memory: 16 bytes per distinct n-gram, and 16 more in a model.

Contexts begin at the file mark of their document and never cross it. The mark is predicted too:
it ends every document. It has no left neighbour, so an n-gram that begins with it keeps its plain
count; all others, below the highest order, count their distinct left neighbours.

Shapes: N ids in all documents, V ids in the vocabulary, U distinct k-grams, B streams.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines.kneser_ney import MISSING, Floats, Integers, Level, smooth
from modeling.vocab import MARK_ID, UNKNOWN_ID, Ids, Vocabulary

Progress = Callable[[float], None]

SIGNED_BITS = 63
"""Bits of a non-negative int64."""


def _silent(_fraction: float) -> None:
    """Report no progress."""


class NgramCounts:
    """All n-grams of the training documents, the source of the models of every order.

    Args:
        documents: ids of each document, (length,), starting with the file mark.
        max_order: length of the longest n-gram, including the predicted character.
        progress: called with the fraction done after each order.

    Raises:
        ValueError: `max_order` is below 1.
    """

    def __init__(
        self,
        documents: Sequence[Ids],
        vocabulary: Vocabulary,
        max_order: int,
        progress: Progress = _silent,
    ) -> None:
        if max_order < 1:
            raise ValueError(f"max_order: {max_order} is not an n-gram order; allowed: 1 and above")
        self.vocabulary = vocabulary
        self.max_order = max_order
        self._tables = _count(_stream(documents, closed=True), vocabulary.size, max_order, progress)

    def model(self, order: int) -> "NgramModel":
        """Smooth the counts into the model of `order`; 0 is uniform, 1 the unigram.

        Raises:
            ValueError: n-grams of that order were not counted.
        """
        if not 0 <= order <= self.max_order:
            raise ValueError(f"order: {order} was not counted; allowed: 0 to {self.max_order}")
        levels, num_contexts = [], 1
        for k, table in enumerate(self._tables[:order], start=1):
            counts = table.counts if k == order else table.continuations
            levels.append(smooth(table.keys, counts, num_contexts, self.vocabulary.size))
            num_contexts = len(table.keys)
        return NgramModel(self.vocabulary, levels)


class NgramModel:
    """A distribution over V ids after every context; made by `NgramCounts.model`."""

    def __init__(self, vocabulary: Vocabulary, levels: Sequence[Level]) -> None:
        self.vocabulary = vocabulary
        self.order = len(levels)
        self._levels = levels

    def bits(self, documents: Sequence[Ids], progress: Progress = _silent) -> list[Floats]:
        """Bits of every character given the characters before it in its document.

        Args:
            documents: ids of each document, (length,), starting with the file mark.
            progress: called with the fraction done after each order.

        Returns:
            For each document, (length - 1,): everything but the initial mark is charged. An unknown
            character costs the bits of id 1 plus those that identify it among the unknown.
        """
        stream = _stream(documents, closed=False)
        probabilities = np.full(len(stream), 1 / self.vocabulary.size)
        contexts = np.zeros(len(stream), np.int64)
        for k, level in enumerate(self._levels, start=1):
            ranks = level.find(contexts, stream)
            level.mix(probabilities, contexts, ranks)
            contexts = _contexts_after(ranks, stream, k)
            progress(k / self.order)
        bits = -np.log2(probabilities)
        bits[stream == UNKNOWN_ID] += self.vocabulary.unknown_bits
        ends = itertools.accumulate(map(len, documents))
        return [part[1:] for part in np.split(bits, list(ends))[:-1]]

    def sample(self, seeds: Sequence[int], length: int, progress: Progress = _silent) -> list[Ids]:
        """Draw one stream of ids per seed, starting after a file mark, at temperature 1.

        A stream depends on its own seed only, not on the other streams. The unknown id is never
        drawn; a drawn file mark resets the context.

        Args:
            seeds: one per stream, not negative.
            length: ids to draw in each stream.
            progress: called with the fraction done every 256 characters.

        Returns:
            For each seed, (length,), without the initial mark.
        """
        draws = np.array([np.random.default_rng(seed).random(length) for seed in seeds])
        streams = np.empty((len(seeds), length), np.uint16)
        base = self._without_context(len(seeds))
        unread = [np.full(len(seeds), MISSING) for _ in self._levels[1:]]
        contexts = self._advance(unread, np.full(len(seeds), MARK_ID))
        for position in range(length if seeds else 0):
            distributions = base.copy()
            for level, context in zip(self._levels[1:], contexts, strict=True):
                level.spread(distributions, context)
            streams[:, position] = _choose(distributions, draws[:, position])
            contexts = self._advance(contexts, streams[:, position])
            if position % 256 == 0:
                progress(position / length)
        progress(1.0)
        return list(streams)

    def _without_context(self, streams: int) -> Floats:
        """The distribution of order 1, (B, V), which is the same at every step."""
        distributions = np.full((streams, self.vocabulary.size), 1 / self.vocabulary.size)
        for level in self._levels[:1]:
            level.spread(distributions, np.zeros(streams, np.int64))
        return distributions

    def _advance(self, contexts: list[Integers], ids: Integers) -> list[Integers]:
        """Ranks of the last 1, 2, ... order - 1 ids after one more id, each (B,)."""
        shorter = [np.zeros(len(ids), np.int64), *contexts]
        pairs = zip(self._levels[:-1], shorter, strict=False)
        return [level.find(context, ids) for level, context in pairs]


@dataclass(frozen=True, slots=True)
class _Table:
    """The distinct k-grams of one order, by rank.

    Attributes:
        keys: rank of the first k - 1 ids times V plus the last id, ascending, (U,).
        counts: occurrences of each, (U,).
        continuations: distinct ids before each, (U,); the count where no id can precede.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int32]
    continuations: NDArray[np.int32]


def _stream(documents: Sequence[Ids], *, closed: bool) -> Ids:
    """All documents concatenated, (N,); closed: with the mark that ends the last one."""
    if not all(len(document) and document[0] == MARK_ID for document in documents):
        raise ValueError("a document does not begin with its mark")
    end = np.full(int(closed), MARK_ID, np.uint16)
    return np.concatenate([*documents, end])


def _contexts_after(ranks: Integers, stream: Ids, k: int) -> Integers:
    """Rank of the k ids before each id, (N,), from the rank of the k ids that end with each id.

    A sequence that ends with a mark is not a context, unless it is the mark alone.
    """
    contexts = np.roll(ranks, 1)
    contexts[:1] = MISSING
    if k > 1:
        contexts[1:][stream[:-1] == MARK_ID] = MISSING
    return contexts


def _count(stream: Ids, size: int, max_order: int, progress: Progress) -> list[_Table]:
    """Count the k-grams of every order from 1 to `max_order`."""
    tables = []
    ranks: Integers = stream.astype(np.int32)
    keys = np.arange(size, dtype=np.int64)
    counts: Integers = np.bincount(stream[1:], minlength=size)
    for k in range(1, max_order):
        contexts = _contexts_after(ranks, stream, k)
        places = np.flatnonzero(contexts >= 0)
        longer = contexts[places].astype(np.int64) * size + stream[places]
        longer_keys, longer_ranks, longer_counts = _rank(longer)
        suffixes = np.empty(len(longer_keys), np.int32)
        suffixes[longer_ranks] = ranks[places]
        tables.append(_table(keys, counts, np.bincount(suffixes, minlength=len(keys))))
        keys, counts = longer_keys, longer_counts
        ranks = np.full(len(stream), MISSING, np.int32)
        ranks[places] = longer_ranks
        progress(k / max_order)
    progress(1.0)
    return [*tables, _table(keys, counts, counts)]


def _table(keys: NDArray[np.int64], counts: Integers, left_neighbours: Integers) -> _Table:
    continuations = np.where(left_neighbours == 0, counts, left_neighbours)
    return _Table(keys, counts.astype(np.int32), continuations.astype(np.int32))


def _rank(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Integers, Integers]:
    """The distinct keys, ascending; the rank of every key; the count of each distinct key."""
    ordered, places = _sort(keys)
    is_first = np.diff(ordered, prepend=-1) != 0
    ranks = np.empty(len(keys), np.int32)
    ranks[places] = np.cumsum(is_first, dtype=np.int32) - 1
    firsts = np.flatnonzero(is_first)
    return ordered[firsts], ranks, np.diff(firsts, append=len(keys))


def _sort(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys in ascending order, and the original index of each.

    Key and index are sorted as one number if both fit: six times as fast as an argsort.
    """
    width = len(keys).bit_length()
    if int(keys.max(initial=0)).bit_length() + width > SIGNED_BITS:
        places = np.argsort(keys)
        return keys[places], places
    packed = keys << width
    packed |= np.arange(len(keys))
    packed.sort()
    places = packed & (2**width - 1)
    packed >>= width
    return packed, places


def _choose(distributions: Floats, draws: Floats) -> Integers:
    """Invert the cumulative distribution of each stream, (B, V), at its draw from [0, 1), (B,)."""
    distributions[:, UNKNOWN_ID] = 0.0
    cumulative = distributions.cumsum(axis=1)
    return (cumulative[:, :-1] <= draws[:, None] * cumulative[:, -1:]).sum(axis=1)
