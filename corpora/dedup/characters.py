"""Similarity of characters: which held-out texts are almost those of another split.

Shingles of tokens miss texts in which a few characters differ in many places, such as two short
files with a name replaced throughout. Here the similarity is twice the longest common subsequence
of characters over the characters of both, as rapidfuzz computes it. It is never less than difflib's
ratio, or than one minus the Levenshtein distance over the longer length.

Computing it for all pairs would take days, so two bounds come first:

- A pair that differs by d insertions and removals differs by at most d in its counts of characters.
  This leaves out no pair that is similar enough, and of source code all but one pair in thousands.
- Longer texts also need some runs of six characters in common, by MinHash. Prose, whose counts are
  all alike, is told apart by that. Similar pairs of real code have half of their runs in common and
  are never left out; a tenth of the characters replaced at random leave 0.19, and of such pairs one
  in some thousands is left out.

Shapes: N documents, C = 128 counters, P = 128 permutations, R runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpora.dedup.minhash import sketch
from corpora.dedup.tokens import MULTIPLIER, Hashes
from corpora.document import Split

Counts = NDArray[np.int16]
Runs = NDArray[np.uint8]

SIMILARITY = 0.9
"""Texts of at least this similarity do not stay in different splits."""
COUNTERS = 128
MOST = 32767
"""Counts end here, which makes the bound weaker, never wrong. So does sharing a counter."""
RUN = 6
PERMUTATIONS = 128
LEAST_AGREEING = 9
"""Permutations in which runs of both texts must agree."""
SHORT = 500
"""Characters up to which a text is compared without looking at its runs."""
SIDES: tuple[Split, ...] = ("test", "validation", "train")
"""The most held-out first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiles:
    """What is known of the characters of every document.

    Attributes:
        counts: of characters, (N, C).
        runs: MinHash of runs of characters, (N, P).
        lengths: in characters, (N,).
    """

    counts: Counts
    runs: Runs
    lengths: NDArray[np.int64]

    def of(self, numbers: Sequence[int]) -> "Profiles":
        """Those of some of the documents."""
        return Profiles(
            counts=self.counts[numbers], runs=self.runs[numbers], lengths=self.lengths[numbers]
        )


def profile(text: str) -> Profiles:
    """The profile of one document."""
    return Profiles(
        counts=character_counts(text)[None],
        runs=sketch([character_runs(text)], PERMUTATIONS).astype(np.uint8),
        lengths=np.array([len(text)]),
    )


def joined(profiles: Sequence[Profiles]) -> Profiles:
    """The profiles of all documents."""
    none = Profiles(
        counts=np.zeros((0, COUNTERS), np.int16),
        runs=np.zeros((0, PERMUTATIONS), np.uint8),
        lengths=np.zeros(0, np.int64),
    )
    parts = [none, *profiles]
    return Profiles(
        counts=np.concatenate([part.counts for part in parts]),
        runs=np.concatenate([part.runs for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
    )


def character_counts(text: str) -> Counts:
    """How often each character occurs, by its code point modulo 128, (C,)."""
    points = _code_points(text) % COUNTERS
    return np.minimum(np.bincount(points, minlength=COUNTERS), MOST).astype(np.int16)


def character_runs(text: str) -> Hashes:
    """Hash the runs of six characters that begin with one of every fourth code point, (R,)."""
    points = _code_points(text)
    begins = np.flatnonzero(points[: 1 - RUN] % 4 == 1)
    hashes = np.zeros(len(begins), np.uint64)
    for offset in range(RUN):
        hashes ^= hashes >> np.uint64(29)
        hashes *= MULTIPLIER
        hashes += points[begins + offset]
    return hashes


def _code_points(text: str) -> NDArray[np.uint8] | NDArray[np.uint32]:
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def possible_pairs(
    profiles: Profiles, splits: Sequence[Split], least: float = SIMILARITY
) -> Iterator[tuple[int, list[int]]]:
    """For every held-out document, those of less held-out splits that may be as similar as `least`.

    Yields:
        The number of a held-out document and those of the others, ascending; documents in their
        order, without those that have no other.
    """
    order = np.argsort(profiles.lengths, kind="stable")
    ranks = np.array([SIDES.index(split) for split in splits], np.int8)
    counts, runs, lengths, sides = (
        values[order] for values in (profiles.counts, profiles.runs, profiles.lengths, ranks)
    )
    for number in np.flatnonzero(ranks < SIDES.index("train")).tolist():
        length = int(profiles.lengths[number])
        shortest, longest = length * least / (2 - least) - 1, length * (2 - least) / least + 1
        first, last = np.searchsorted(lengths, [shortest, longest]).tolist()
        allowed = (1 - least) * (lengths[first:last] + length) + 1e-6
        apart = np.abs(counts[first:last] - profiles.counts[number]).sum(axis=1, dtype=np.int32)
        near = np.flatnonzero((apart <= allowed) & (sides[first:last] > ranks[number])) + first
        if length > SHORT:
            agreeing = np.count_nonzero(runs[near] == profiles.runs[number], axis=1)
            near = near[(agreeing >= LEAST_AGREEING) | (lengths[near] <= SHORT)]
        if len(near):
            yield number, np.sort(order[near]).tolist()


def similarity(first: str, second: str, least: float = SIMILARITY) -> float:
    """Twice the longest common subsequence over both lengths; 0 if that is below `least`."""
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(first, second, score_cutoff=least)
