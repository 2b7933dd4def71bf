"""Similarity of characters: which held-out texts are almost those of another split.

Shingles of tokens miss texts in which a few characters differ in many places, such as two short
files with a name replaced throughout. Here the similarity is twice the longest common subsequence
of characters over the characters of both, as rapidfuzz computes it. It is never less than difflib's
ratio, or than one minus the Levenshtein distance over the longer length.

Computing it for all pairs would take days, so bounds come first. Both are exact: they leave out no
pair that is similar enough.

- A pair that differs by d insertions and removals differs by at most d in its counts of characters.
  Of source code that leaves one pair in some thousands.
- Each insertion or removal is of a character of one class. So the differences of two texts, reduced
  to the characters of one class after the other, do not add up to more than d. Comparing the
  classes of two long texts takes a tenth of the time.

Only a text with many possible twins also needs some runs of twelve characters in common with each,
by MinHash. That is prose, whose counts are all alike. Similar pairs of real code have half of their
runs in common; a tenth of the characters replaced at random leave a sixth, and of such pairs one in
some thousands is left out. Two novels of one author have a twentieth in common, shorter prose less,
so hardly any are compared. (Of runs of six they have a fifth, and all were.)

Shapes: N documents, C = 128 counters, P = 256 permutations, R runs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpora.dedup.minhash import PERMUTATIONS, sketch
from corpora.dedup.tokens import MULTIPLIER, Hashes, code_points
from corpora.document import Split

Counts = NDArray[np.int16]
Runs = NDArray[np.uint8]

SIMILARITY = 0.9
"""Texts of at least this similarity do not stay in different splits."""
COUNTERS = 128
MOST = 32767
"""Counts end here, which makes the bound weaker, never wrong. So does sharing a counter."""
CLASSES = 16
"""Characters are in one class if their code points are the same modulo this."""
LONG = 4000
"""Characters of both texts from which their classes are compared first."""
RUN = 12
LEAST_AGREEING = 18
"""Permutations in which runs of both texts must agree."""
SHORT = 500
"""Characters up to which a text is compared without looking at its runs."""
MANY = 64
"""Possible twins up to which comparing them costs less than looking at their runs."""
SIDES: tuple[Split, ...] = ("test", "validation", "train")
"""The most held-out first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiles:
    """What is known of the characters of every document.

    Attributes:
        counts: of characters, (N, C).
        lengths: in characters, (N,).
    """

    counts: Counts
    lengths: NDArray[np.int64]

    def of(self, numbers: Sequence[int]) -> "Profiles":
        """Those of some of the documents."""
        return Profiles(counts=self.counts[numbers], lengths=self.lengths[numbers])


def profile(text: str) -> Profiles:
    """The profile of one document."""
    return Profiles(counts=character_counts(text)[None], lengths=np.array([len(text)]))


def joined(profiles: Sequence[Profiles]) -> Profiles:
    """The profiles of all documents."""
    none = Profiles(counts=np.zeros((0, COUNTERS), np.int16), lengths=np.zeros(0, np.int64))
    parts = [none, *profiles]
    return Profiles(
        counts=np.concatenate([part.counts for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
    )


def character_counts(text: str) -> Counts:
    """How often each character occurs, by its code point modulo 128, (C,)."""
    points = code_points(text)
    points = points if text.isascii() else points % COUNTERS
    return np.minimum(np.bincount(points, minlength=COUNTERS), MOST).astype(np.int16)


def sketched(texts: Iterable[str]) -> Runs:
    """MinHash of the runs of characters of every text, (N, P)."""
    rows = [sketch([character_runs(text)]) for text in texts]
    return np.concatenate([sketch([]), *rows]).astype(np.uint8)


def character_runs(text: str) -> Hashes:
    """Hash the runs of twelve characters that begin with one of every fourth code point, (R,)."""
    points = code_points(text)
    places = np.flatnonzero(points[: 1 - RUN] % 4 == 1)
    hashes = points.take(places).astype(np.uint64)
    for _ in range(1, RUN):
        places += 1
        hashes ^= hashes >> np.uint64(29)
        hashes *= MULTIPLIER
        hashes += points.take(places)
    return hashes


def possible_pairs(
    profiles: Profiles,
    ranks: Sequence[int],
    runs_of: Callable[[Sequence[int]], Runs],
    least: float = SIMILARITY,
) -> Iterator[tuple[int, list[int]]]:
    """For every document, those of a higher rank that may be as similar as `least`.

    Args:
        ranks: those of the splits in SIDES, or one of its own for each document, to compare all.
        runs_of: computes MinHash of the runs of some documents, (len, P); not called for the same
            document twice.

    Yields:
        The number of a document and those of the others, ascending; documents in their order,
        without those that have no other.
    """
    runs = _Runs(len(ranks), runs_of)
    for number, near in _near(profiles, np.array(ranks, np.int64), least):
        is_possible = np.ones(len(near), np.bool_)
        if len(near) > MANY and profiles.lengths[number] > SHORT:
            is_long = profiles.lengths[near] > SHORT
            is_possible[is_long] = runs.agreeing(number, near[is_long]) >= LEAST_AGREEING
        if is_possible.any():
            yield number, near[is_possible].tolist()


def _near(
    profiles: Profiles, ranks: NDArray[np.int64], least: float
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Every document, and those of a higher rank by lengths and counts of characters, ascending."""
    from scipy.spatial.distance import cdist  # a third of the start of a worker, which needs none

    order = np.argsort(profiles.lengths, kind="stable")
    lengths, sides = profiles.lengths[order], ranks[order]
    # The counts of classes differ by less than those of characters, and are soon compared.
    classes = profiles.counts.reshape(-1, COUNTERS // CLASSES, CLASSES).sum(1, dtype=np.float64)
    ordered = classes[order]
    for number in np.flatnonzero(ranks < ranks.max(initial=0)).tolist():
        length = int(profiles.lengths[number])
        shortest, longest = length * least / (2 - least) - 1, length * (2 - least) / least + 1
        first, last = np.searchsorted(lengths, [shortest, longest]).tolist()
        allowed = (1 - least) * (lengths[first:last] + length) + 1e-6
        apart = cdist(classes[number][None], ordered[first:last], "cityblock")[0]
        near = np.flatnonzero((apart <= allowed) & (sides[first:last] > ranks[number]))
        others = order[first:last][near]
        differences = np.abs(profiles.counts[others] - profiles.counts[number])
        yield number, np.sort(others[differences.sum(1, dtype=np.int32) <= allowed[near]])


class _Runs:
    """MinHash of the runs of the documents that were asked about."""

    def __init__(self, count: int, runs_of: Callable[[Sequence[int]], Runs]) -> None:
        self._runs = np.zeros((count, PERMUTATIONS), np.uint8)
        self._known = np.zeros(count, np.bool_)
        self._runs_of = runs_of

    def agreeing(self, number: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
        """In how many permutations each of the others agrees with a document."""
        asked = np.append(others, number)
        new = np.sort(asked[~self._known[asked]])
        self._runs[new] = self._runs_of(new.tolist())
        self._known[new] = True
        return np.count_nonzero(self._runs[others] == self._runs[number], axis=1)


def similarity(first: str, second: str, least: float = SIMILARITY) -> float:
    """Twice the longest common subsequence over both lengths; 0 if that is below `least`."""
    from rapidfuzz.distance import Indel

    if min(len(first), len(second)) > LONG and not _may_be_similar(first, second, least):
        return 0.0
    return Indel.normalized_similarity(first, second, score_cutoff=least)


def _may_be_similar(first: str, second: str, least: float) -> bool:
    """False if the differences of the classes, the smallest first, are already too many."""
    from rapidfuzz.distance import Indel

    left = (1 - least) * (len(first) + len(second)) + 1e-6
    classes = zip(classes_of(first), classes_of(second), strict=True)
    for one, other in sorted(classes, key=lambda pair: len(pair[0]) + len(pair[1])):
        left -= Indel.distance(one, other, score_cutoff=int(left))
        if left < 0:
            return False
    return True


def classes_of(text: str) -> list[str]:
    """The characters of each class in their order, C = 16 texts."""
    points = code_points(text)
    classes = (points % CLASSES).astype(np.uint8)
    encoded = points[np.argsort(classes, kind="stable")].tobytes()
    together = encoded.decode("ascii" if text.isascii() else "utf-32-le", "surrogatepass")
    ends = np.cumsum(np.bincount(classes, minlength=CLASSES)).tolist()
    return [together[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
