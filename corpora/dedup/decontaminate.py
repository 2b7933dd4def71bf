"""Which files are copies or near-copies of one another, and what follows for keep and split.

A hash of its own text says where a file stands, so nothing that is added moves it. Of near-copies
that fall on several sides only those on the most held-out side stay: training text near to a test
text is dropped, never the other way round. So nothing leaks, and the test files are a fair draw.
To keep every file, to let nothing leak, to move nothing and to need no memory of earlier corpora:
any three of them can be had. What is given up here, near-copies, is what teaches least.

Where documents are frozen they stay whatever is added, and a new near-copy of them stays only if it
falls on their side.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpora.chunking import cut
from corpora.corpus.summary import Leak
from corpora.dedup.minhash import Hashes, Numbers, Signatures, candidate_pairs, clusters, verified
from corpora.dedup.split import naive_split_of, split_of
from corpora.document import Outcome, Split
from corpora.spec import CorpusSpec

HELD_OUT: tuple[Split, ...] = ("test", "validation")
SIDES: tuple[Split, ...] = (*HELD_OUT, "train")
"""The most held-out first."""
COMPARED_CHARACTERS = 32 * 2**20
"""Of texts whose shingles are held at a time: so memory stays flat where much is a near-copy. Only
texts that one chain of candidates links are held together whatever their size."""


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
        head = _heads(outcomes, sorted(set(first)), signatures, shingles_of, spec.near_threshold)
        leader = [head[place] for place in first]
    digests = [outcome.sha256 or "" for outcome in outcomes]
    own: list[Split] = [frozen.get(d) or split_of(d, spec.split) for d in digests]
    stays = _staying(outcomes, leader, own, spec, frozen)
    decided = list(_outcomes(outcomes, first, leader, stays, own, spec))
    naive: list[Split | None] = [naive_split_of(o.entry, spec.split) for o in outcomes]
    after: list[Split | None] = [o.split if o.reason is None else None for o in decided]
    return Decided(
        outcomes=decided,
        leak_before=_leak(outcomes, leader, naive),
        leak_after=_leak(outcomes, leader, after),
    )


def _heads(
    outcomes: Sequence[Outcome],
    distinct: Sequence[int],
    signatures: Sequence[Signatures],
    shingles_of: Callable[[Sequence[int]], Mapping[int, Hashes]],
    threshold: float,
) -> dict[int, int]:
    """For every distinct text, by place, the place of the first one of its cluster."""
    if not distinct:
        return {}
    pairs = candidate_pairs(np.stack([signatures[place] for place in distinct]), threshold)
    near: list[tuple[int, int]] = []
    sizes = [outcomes[place].characters or 0 for place in distinct]
    for some in _groups(pairs, sizes):
        numbers = np.unique(some).tolist()
        read = shingles_of([distinct[number] for number in numbers])
        known = {number: read[distinct[number]] for number in numbers}
        near += [pair[:2] for pair in verified(some, known.__getitem__, threshold)]
    heads = clusters(len(distinct), near)
    return {place: distinct[head] for place, head in zip(distinct, heads, strict=True)}


def _groups(pairs: Numbers, sizes: Sequence[int]) -> Iterator[Numbers]:
    """Cut candidates, (K, 2), into groups of a bounded size that share no document."""
    heads: list[int] = clusters(len(sizes), pairs.tolist()).tolist()
    chains: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for first, second in pairs.tolist():
        chains[heads[first]].append((first, second))

    def size(chain: Sequence[tuple[int, int]]) -> int:
        return sum(sizes[number] for number in {number for pair in chain for number in pair})

    for group in cut(list(chains.values()), COMPARED_CHARACTERS, size):
        yield np.array([pair for chain in group for pair in chain], np.int64)


def _first_of_each_digest(outcomes: Sequence[Outcome]) -> list[int]:
    """For every file, the place of the first one with the same text."""
    places: dict[str | None, int] = {}
    return [places.setdefault(o.sha256, place) for place, o in enumerate(outcomes)]


def _staying(
    outcomes: Sequence[Outcome],
    leader: Sequence[int],
    own: Sequence[Split],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
) -> list[bool]:
    """Whether no near-copy speaks against a file; something of every cluster stays.

    Parts of a text are split one by one, so of texts to be cut up the first of a cluster stays.
    """
    if spec.near_duplicates == "drop" or spec.part_characters:
        return [head == place for place, head in enumerate(leader)]
    holding = [outcome.sha256 in frozen for outcome in outcomes]
    every: dict[int, set[Split]] = defaultdict(set)
    held: dict[int, set[Split]] = defaultdict(set)
    for head, side, holds in zip(leader, own, holding, strict=True):
        every[head].add(side)
        if holds:
            held[head].add(side)
    right = {head: held.get(head) or {_most_held_out(sides)} for head, sides in every.items()}
    facts = zip(leader, own, holding, strict=True)
    return [holds or right[head] == {side} for head, side, holds in facts]


def _most_held_out(sides: Collection[Split]) -> Split:
    return next(side for side in SIDES if side in sides)


def _outcomes(
    outcomes: Sequence[Outcome],
    first: Sequence[int],
    leader: Sequence[int],
    stays: Sequence[bool],
    own: Sequence[Split],
    spec: CorpusSpec,
) -> Iterator[Outcome]:
    """The final outcome of every file."""
    kept = {head: place for place, head in reversed([*enumerate(leader)]) if stays[place]}
    for place, outcome in enumerate(outcomes):
        near = kept[leader[place]]
        if first[place] != place:
            name = _name(outcomes[first[place]])
            yield replace(outcome, reason="duplicate", duplicate_of=name)
        elif not stays[place]:
            apart = own[place] != own[near] and not spec.part_characters
            detail = f"would stand in {own[place]}, that in {own[near]}" if apart else ""
            name = _name(outcomes[near])
            yield replace(outcome, reason="near-duplicate", detail=detail, duplicate_of=name)
        elif spec.part_characters:  # the parts are split one by one
            yield outcome
        else:
            cluster = _name(outcomes[near]) if near != place else None
            yield replace(outcome, cluster=cluster, split=own[place])


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
