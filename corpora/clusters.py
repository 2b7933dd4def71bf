"""Which files are copies or near-copies of one another, and what follows for keep and split.

A cluster stands on one side of the split. Its place is that of its representative, the member
with the smallest digest. So a file that is nobody's near-copy moves no other one; a near-copy of
an old file can take that one's cluster along, or join two clusters, only if digests fall so. Where
documents are frozen none of them moves, and a new near-copy of frozen ones on two sides is dropped.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpora.document import Outcome, Split
from corpora.duplicates import Hashes, Numbers, Signatures, candidate_pairs, clusters, verified
from corpora.spec import CorpusSpec
from corpora.split import naive_split_of, split_of
from corpora.write import cut

HELD_OUT = ("test", "validation")
COMPARED_CHARACTERS = 32 * 2**20
"""Of texts whose shingles are held at a time: so memory stays flat where much is a near-copy. Only
texts that one chain of candidates links are held together whatever their size."""
TORN = "near-copies of it are frozen on several sides of the split"


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
        head = _heads(outcomes, sorted(set(first)), signatures, shingles_of, spec.near_threshold)
        leader = [head[place] for place in first]
    splits = _splits(outcomes, leader, spec, frozen)
    decided = [
        _outcome(outcomes, place, first[place], leader[place], splits[place], spec)
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


def _splits(
    outcomes: Sequence[Outcome],
    leader: Sequence[int],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
) -> list[Split | None]:
    """The split of every file: where it is frozen, else that of its cluster."""
    members: dict[int, list[str]] = defaultdict(list)
    for place, outcome in enumerate(outcomes):
        assert outcome.sha256
        members[leader[place]].append(outcome.sha256)
    of_cluster: dict[int, Split | None] = {
        head: _split_of(digests, spec, frozen) for head, digests in members.items()
    }
    places = zip(outcomes, leader, strict=True)
    return [frozen.get(outcome.sha256 or "") or of_cluster[head] for outcome, head in places]


def _split_of(
    digests: Sequence[str], spec: CorpusSpec, frozen: Mapping[str, Split]
) -> Split | None:
    """The split of a cluster: that of its frozen members, else by its smallest digest.

    None if they are frozen on several sides: then no side is right for a new one.
    """
    sides: list[Split] = [frozen[digest] for digest in digests if digest in frozen]
    if not sides:
        return split_of(min(digests), spec.split)
    torn = len(set(sides)) > 1 and spec.near_duplicates == "together"
    return None if torn else sides[0]


def _outcome(
    outcomes: Sequence[Outcome],
    place: int,
    first: int,
    leader: int,
    split: Split | None,
    spec: CorpusSpec,
) -> Outcome:
    """The final outcome of one file; `split` is None where it can stand on no side."""
    outcome = outcomes[place]
    if first != place:
        return replace(outcome, reason="duplicate", duplicate_of=_name(outcomes[first]))
    cluster = _name(outcomes[leader]) if leader != place else None
    if cluster and spec.near_duplicates == "drop":
        return replace(outcome, reason="near-duplicate", duplicate_of=cluster)
    if spec.part_characters:  # the parts are split one by one
        return replace(outcome, cluster=cluster)
    if split is None:
        return replace(outcome, reason="near-duplicate", detail=TORN, duplicate_of=cluster)
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
