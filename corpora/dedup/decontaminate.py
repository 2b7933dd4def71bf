"""Find copies and near-copies, and decide which files stay and in which split.

The split of a file is a hash of its own text, so adding files moves no other file. Near-copies that
fall into different splits would leak, so only those in the most held-out split stay: a training
text near a test text is dropped, never the reverse. Nothing leaks, and the test set stays an
unbiased sample. No method can keep every file, leak nothing, move nothing and need no memory of
earlier corpora all at once; this one gives up the first, because near-copies teach least.

Frozen documents always stay, and a new near-copy of one stays only in the same split.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpora.chunking import grouped
from corpora.corpus.summary import Leak
from corpora.dedup.minhash import Hashes, Numbers, Signatures, candidate_pairs, clusters, verified
from corpora.dedup.split import naive_split_of, split_of
from corpora.document import Outcome, Split
from corpora.spec import CorpusSpec

HELD_OUT: tuple[Split, ...] = ("test", "validation")
SIDES: tuple[Split, ...] = (*HELD_OUT, "train")
"""The most held-out first."""
COMPARED_CHARACTERS = 32 * 2**20
"""Characters of text whose shingles are in memory at a time, so that memory stays flat even where
much is a near-copy. Texts linked by one chain of candidates are compared together, however large.
"""
ReadShingles = Callable[[Sequence[int]], Mapping[int, Hashes]]
"""Reads the files at these positions again, and gives their shingles by position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The final outcome of every readable file, and how many files leak.

    Attributes:
        outcomes: in the order of the files, kept ones with their split.
        leak_before: had files been split by their paths, copies included.
        leak_after: with the split as decided.
    """

    outcomes: Sequence[Outcome]
    leak_before: Leak
    leak_after: Leak


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _File:
    """A readable file in its cluster.

    Attributes:
        position: among all readable files.
        original: the first file with the same text; itself if this is the first.
        split: by its own text, or the one it is frozen in.
    """

    position: int
    outcome: Outcome
    original: Outcome
    split: Split
    is_frozen: bool


def decide(
    outcomes: Sequence[Outcome],
    signatures: Sequence[Signatures],
    read_shingles: ReadShingles,
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
    *,
    compared_characters: int = COMPARED_CHARACTERS,
) -> Decisions:
    """Find copies and near-copies among readable files, and decide about each file.

    Args:
        outcomes: of the files that passed every rule on their own content, in order.
        signatures: MinHash signatures of the same files, each (P,) uint16.
        frozen: digest to split, of documents that must keep their split.
        compared_characters: bounds the shingles in memory.
    """
    originals = _originals(outcomes)
    cluster_of = {position: position for position in originals}
    if spec.near_duplicates != "ignore":
        distinct = sorted(set(originals))
        cluster_of = _clusters(
            outcomes, distinct, signatures, read_shingles, spec.near_threshold, compared_characters
        )
    members: dict[int, list[_File]] = defaultdict(list)
    for position, (outcome, original) in enumerate(zip(outcomes, originals, strict=True)):
        digest = outcome.sha256 or ""
        file = _File(
            position=position,
            outcome=outcome,
            original=outcomes[original],
            split=frozen.get(digest) or split_of(digest, spec.split),
            is_frozen=digest in frozen,
        )
        members[cluster_of[original]].append(file)
    return _decide_clusters(list(members.values()), spec)


def _originals(outcomes: Sequence[Outcome]) -> list[int]:
    """For every file, the position of the first one with the same text."""
    first: dict[str | None, int] = {}
    return [first.setdefault(o.sha256, position) for position, o in enumerate(outcomes)]


def _clusters(
    outcomes: Sequence[Outcome],
    distinct: Sequence[int],
    signatures: Sequence[Signatures],
    read_shingles: ReadShingles,
    threshold: float,
    compared_characters: int,
) -> dict[int, int]:
    """For the position of every distinct text, the first position in its cluster."""
    if not distinct:
        return {}
    pairs = candidate_pairs(np.stack([signatures[position] for position in distinct]), threshold)
    near: list[tuple[int, int]] = []
    sizes = [outcomes[position].characters or 0 for position in distinct]
    for group in _groups(pairs, sizes, compared_characters):
        numbers = np.unique(group).tolist()
        read = read_shingles([distinct[number] for number in numbers])
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


def _decide_clusters(members: Sequence[Sequence[_File]], spec: CorpusSpec) -> Decisions:
    """Decide about each cluster by itself: nothing in one depends on another."""
    decided: dict[int, Outcome] = {}
    leaks_before, leaks_after = [], []
    for cluster in members:
        kept = _kept(cluster, spec)
        stays = set(kept)
        final = {f.position: _outcome(f, kept[0], spec, is_kept=f in stays) for f in cluster}
        decided |= final
        naive: list[Split | None] = [
            naive_split_of(file.outcome.entry, spec.split) for file in cluster
        ]
        after: list[Split | None] = [o.split if o.reason is None else None for o in final.values()]
        leaks_before += _leaking(cluster, naive)
        leaks_after += _leaking(cluster, after)
    return Decisions(
        outcomes=[decided[position] for position in range(len(decided))],
        leak_before=Leak(files=len(leaks_before), characters=sum(leaks_before)),
        leak_after=Leak(files=len(leaks_after), characters=sum(leaks_after)),
    )


def _kept(cluster: Sequence[_File], spec: CorpusSpec) -> list[_File]:
    """The files of a cluster that stay, copies included; at least one.

    Parts of a text are split one by one, so of texts that will be cut into parts only the first
    stays.
    """
    if spec.near_duplicates == "drop" or spec.part_characters:
        return [cluster[0]]
    allowed = {file.split for file in cluster if file.is_frozen}
    if not allowed:
        allowed = {min((file.split for file in cluster), key=SIDES.index)}
    return [file for file in cluster if file.is_frozen or allowed == {file.split}]


def _outcome(file: _File, nearest: _File, spec: CorpusSpec, *, is_kept: bool) -> Outcome:
    """The final outcome of a file; `nearest` is the first file of its cluster that is kept."""
    if file.outcome is not file.original:
        return replace(file.outcome, reason="duplicate", duplicate_of=_name(file.original))
    if not is_kept:
        differs = file.split != nearest.split and not spec.part_characters
        return replace(
            file.outcome,
            reason="near-duplicate",
            detail=f"would stand in {file.split}, that in {nearest.split}" if differs else "",
            duplicate_of=_name(nearest.outcome),
        )
    if spec.part_characters:  # the parts are split one by one
        return file.outcome
    cluster = None if file is nearest else _name(nearest.outcome)
    return replace(file.outcome, cluster=cluster, split=file.split)


def _leaking(cluster: Sequence[_File], splits: Sequence[Split | None]) -> list[int]:
    """Characters of every held-out file in a cluster that is also in the training split."""
    if "train" not in splits:
        return []
    return [
        file.outcome.characters or 0
        for file, split in zip(cluster, splits, strict=True)
        if split in HELD_OUT
    ]


def _name(outcome: Outcome) -> str:
    return f"{outcome.entry.source}/{outcome.entry.path}"
