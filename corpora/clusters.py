"""Which files are copies or near-copies of one another, and what follows for keep and split.

A cluster stands on one side of the split. Its place is that of its representative, the member
with the smallest digest: a new near-copy of an old file can take the cluster along only if its
digest is smaller, and never if the split is frozen.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpora.document import Outcome, Split
from corpora.duplicates import Hashes, Signatures, candidate_pairs, clusters, verified
from corpora.spec import CorpusSpec
from corpora.split import naive_split_of, split_of

HELD_OUT = ("test", "validation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Held-out files that have a copy or near-copy in the training text."""

    files: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Every readable file with its final outcome, and the leak that the clusters avoided.

    Attributes:
        outcomes: in the order of the files, kept ones with their split.
        leak_before: if files had been split by their paths, copies and all.
        leak_after: as they are split now.
    """

    outcomes: Sequence[Outcome]
    leak_before: Leak
    leak_after: Leak


def decide(
    outcomes: Sequence[Outcome],
    signatures: Sequence[Signatures],
    shingles_of: Callable[[Sequence[int]], Mapping[int, Hashes]],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
) -> Decided:
    """Find copies and near-copies among readable files, and give each file its split.

    Args:
        outcomes: of the files that passed every rule about themselves, in order.
        signatures: of the same files.
        shingles_of: reads the texts of some places again.
        frozen: digest to split, of documents that must stay where they are.
    """
    first = _first_of_each_digest(outcomes)
    leader = first
    if spec.near_duplicates != "ignore":
        head = _heads(sorted(set(first)), signatures, shingles_of, spec.near_threshold)
        leader = [head[place] for place in first]
    splits = _splits(outcomes, leader, spec, frozen)
    decided = [
        _outcome(outcomes, place, first[place], leader[place], splits, spec)
        for place in range(len(outcomes))
    ]
    naive: list[Split | None] = [naive_split_of(o.entry, spec.split) for o in outcomes]
    after: list[Split | None] = [o.split if o.reason is None else None for o in decided]
    return Decided(
        outcomes=decided,
        leak_before=_leak(outcomes, leader, naive),
        leak_after=_leak(outcomes, leader, after),
    )


def _heads(
    distinct: Sequence[int],
    signatures: Sequence[Signatures],
    shingles_of: Callable[[Sequence[int]], Mapping[int, Hashes]],
    threshold: float,
) -> dict[int, int]:
    """For every distinct text, by place, the place of the first one of its cluster."""
    if not distinct:
        return {}
    pairs = candidate_pairs(np.stack([signatures[place] for place in distinct]), threshold)
    shingles = shingles_of([distinct[number] for number in np.unique(pairs)])
    near = verified(pairs, lambda number: shingles[distinct[number]], threshold)
    heads = clusters(len(distinct), [(first, second) for first, second, _ in near])
    return {place: distinct[head] for place, head in zip(distinct, heads, strict=True)}


def _first_of_each_digest(outcomes: Sequence[Outcome]) -> list[int]:
    """For every file, the place of the first one with the same text."""
    places: dict[str | None, int] = {}
    return [places.setdefault(o.sha256, place) for place, o in enumerate(outcomes)]


def _splits(
    outcomes: Sequence[Outcome],
    leader: Sequence[int],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
) -> dict[int, Split]:
    """The split of every cluster, by its leader's place."""
    members: dict[int, list[str]] = defaultdict(list)
    for place, outcome in enumerate(outcomes):
        assert outcome.sha256
        members[leader[place]].append(outcome.sha256)
    return {head: _split_of(digests, spec, frozen) for head, digests in members.items()}


def _split_of(digests: Sequence[str], spec: CorpusSpec, frozen: Mapping[str, Split]) -> Split:
    """The split of a cluster: where a member is frozen, else by its smallest digest."""
    for digest in digests:
        if digest in frozen:
            return frozen[digest]
    return split_of(min(digests), spec.split)


def _outcome(
    outcomes: Sequence[Outcome],
    place: int,
    first: int,
    leader: int,
    splits: Mapping[int, Split],
    spec: CorpusSpec,
) -> Outcome:
    """The final outcome of one file."""
    outcome = outcomes[place]
    if first != place:
        return replace(outcome, reason="duplicate", duplicate_of=_name(outcomes[first]))
    cluster = _name(outcomes[leader]) if leader != place else None
    if cluster and spec.near_duplicates == "drop":
        return replace(outcome, reason="near-duplicate", duplicate_of=cluster)
    # A text that is cut into parts is split part by part.
    split = None if spec.part_characters else splits[leader]
    return replace(outcome, cluster=cluster, split=split)


def _leak(
    outcomes: Sequence[Outcome], leader: Sequence[int], splits: Sequence[Split | None]
) -> Leak:
    trained = {head for head, split in zip(leader, splits, strict=True) if split == "train"}
    leaking = [
        outcome.characters or 0
        for outcome, head, split in zip(outcomes, leader, splits, strict=True)
        if split in HELD_OUT and head in trained
    ]
    return Leak(files=len(leaking), characters=sum(leaking))


def _name(outcome: Outcome) -> str:
    return f"{outcome.entry.source}/{outcome.entry.path}"
