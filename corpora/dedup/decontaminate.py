"""Find copies and near-copies, and decide which files stay and in which split.

The split of a file is a hash of its own text, so adding files moves no other file. Near-copies that
fall into different splits would leak, so only those in the most held-out split stay: a training
text near a test text is dropped, never the reverse. Nothing leaks, and the test set stays an
unbiased sample. No method can keep every file, leak nothing, move nothing and need no memory of
earlier corpora all at once; this one gives up the first, because near-copies teach least.

Two texts are near-copies by their shingles (then so are near-copies of near-copies), or, across
splits, by their characters. Frozen documents always stay, and a new near-copy of one stays only in
the same split.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from corpora.corpus.summary import Leak
from corpora.dedup.characters import SIDES, Runs, possible_pairs
from corpora.dedup.clusters import COMPARED_CHARACTERS, Texts, near_clusters
from corpora.dedup.split import naive_split_of, split_of
from corpora.document import Outcome, Split
from corpora.spec import CorpusSpec

HELD_OUT: tuple[Split, ...] = ("test", "validation")


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
    """A readable file.

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

    @property
    def rank(self) -> tuple[bool, int]:
        """Of near-copies in two splits, the one of the lower rank stays."""
        return (not self.is_frozen, SIDES.index(self.split))


_Similar = tuple[_File, _File, float]
"""A file, another one in a different split, and how similar their characters are."""
_Leaking = tuple[_File, _File]
"""A held-out file and a near-copy of it in the training split."""


def decide(
    texts: Texts,
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
    *,
    compared_characters: int = COMPARED_CHARACTERS,
) -> Decisions:
    """Find copies and near-copies among readable files, and decide about each file.

    Args:
        frozen: digest to split, of documents that must keep their split.
        compared_characters: bounds the shingles in memory.
    """
    originals = _originals(texts.outcomes)
    files = list(_files(texts.outcomes, originals, spec, frozen))
    cluster_of = {position: position for position in originals}
    if spec.near_duplicates != "ignore":
        distinct = sorted(cluster_of)
        cluster_of = near_clusters(texts, distinct, spec.near_threshold, compared_characters)
    members: dict[int, list[_File]] = defaultdict(list)
    for file, original in zip(files, originals, strict=True):
        members[cluster_of[original]].append(file)
    stay = {file.position for cluster in members.values() for file in _kept(cluster, spec)}
    twins = [
        (files[twin.position], files[twin.other], twin.similarity)
        for twin in texts.first_twins(_possible_twins(texts, files, stay, spec))
    ]
    return _decide_clusters(list(members.values()), twins, spec)


def _files(
    outcomes: Sequence[Outcome],
    originals: Sequence[int],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
) -> Iterator[_File]:
    for position, (outcome, original) in enumerate(zip(outcomes, originals, strict=True)):
        digest = outcome.sha256 or ""
        yield _File(
            position=position,
            outcome=outcome,
            original=outcomes[original],
            split=frozen.get(digest) or split_of(digest, spec.split),
            is_frozen=digest in frozen,
        )


def _originals(outcomes: Sequence[Outcome]) -> list[int]:
    """For every file, the position of the first one with the same text."""
    first: dict[str | None, int] = {}
    return [first.setdefault(o.sha256, position) for position, o in enumerate(outcomes)]


def _possible_twins(
    texts: Texts, files: Sequence[_File], stay: Collection[int], spec: CorpusSpec
) -> dict[int, list[int]]:
    """For files that have to go if their characters are similar, by position: similar to which."""
    if spec.near_duplicates == "ignore":
        return {}
    if spec.part_characters:
        return _possible_editions(texts, sorted(stay))
    # A file that a test text displaced still displaces others: a further test text frees none.
    compared = [
        file.position
        for file in files
        if file.outcome is file.original
        and (file.position in stay or spec.near_duplicates == "decontaminate")
    ]
    others: dict[int, list[int]] = defaultdict(list)
    ranks = [SIDES.index(files[position].split) for position in compared]

    def runs_of(numbers: Sequence[int]) -> Runs:
        return texts.runs([compared[number] for number in numbers])

    for held_out, possible in possible_pairs(texts.profiles.of(compared), ranks, runs_of):
        for number in possible:
            pair = (files[compared[held_out]], files[compared[number]])
            winner, loser = sorted(pair, key=lambda file: file.rank)
            if loser.is_frozen:  # so both stay, and the one that is held out is named
                loser, winner = pair
            if loser.position in stay:
                others[loser.position].append(winner.position)
    return others


def _possible_editions(texts: Texts, compared: Sequence[int]) -> dict[int, list[int]]:
    """For texts that will be cut into parts, those before them that they may be similar to.

    Parts are split one by one, so every two texts are compared.
    """
    others: dict[int, list[int]] = defaultdict(list)

    def runs_of(numbers: Sequence[int]) -> Runs:
        return texts.runs([compared[number] for number in numbers])

    for first, possible in possible_pairs(
        texts.profiles.of(compared), range(len(compared)), runs_of
    ):
        for later in possible:
            others[compared[later]].append(compared[first])
    return others


def _decide_clusters(
    members: Sequence[Sequence[_File]], twins: Sequence[_Similar], spec: CorpusSpec
) -> Decisions:
    """Decide about each cluster by itself, but for files that have a twin in another split."""
    lost = {twin[0].position: twin for twin in twins if not twin[0].is_frozen}
    decided: dict[int, Outcome] = {}
    before: list[_Leaking] = []
    after = [twin[:2] for twin in twins if twin[0].is_frozen and twin[1].split == "train"]
    for cluster in members:
        kept = _kept(cluster, spec)
        nearest = next((file for file in kept if file.position not in lost), kept[0])
        left = {file for file in kept if file.position not in lost}
        final = {f.position: _outcome(f, nearest, spec, is_kept=f in left) for f in cluster}
        decided |= final
        decided |= {f.position: _displaced(*lost[f.position], spec) for f in kept if f not in left}
        before += _leaking(cluster, [naive_split_of(f.outcome.entry, spec.split) for f in cluster])
        splits = [decided[file.position] for file in cluster]
        after += _leaking(cluster, [None if o.reason else o.split for o in splits])
    return Decisions(
        outcomes=[decided[position] for position in range(len(decided))],
        leak_before=replace(_leak(before), twins=()),
        leak_after=_leak(after),
    )


def _displaced(file: _File, other: _File, similarity: float, spec: CorpusSpec) -> Outcome:
    """The outcome of a file with almost the characters of a stronger one in another split."""
    splits = f"would stand in {file.split}, that in {other.split}; "
    return replace(
        file.outcome,
        reason="near-duplicate",
        detail=f"{'' if spec.part_characters else splits}{similarity:.1%} of the characters are "
        "the same",
        duplicate_of=_name(other.outcome),
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


def _leaking(cluster: Sequence[_File], splits: Sequence[Split | None]) -> list[_Leaking]:
    """Every held-out file in a cluster that is also in the training split, with one that is there.

    Args:
        splits: of the same files, None for those that are in none.
    """
    if "train" not in splits:
        return []
    training = cluster[splits.index("train")]
    return [(f, training) for f, split in zip(cluster, splits, strict=True) if split in HELD_OUT]


def _leak(leaking: Sequence[_Leaking]) -> Leak:
    twins = dict(leaking)
    return Leak(
        files=len(twins),
        characters=sum(file.outcome.characters or 0 for file in twins),
        twins=tuple((_name(one.outcome), _name(two.outcome)) for one, two in twins.items()),
    )


def _name(outcome: Outcome) -> str:
    return f"{outcome.entry.source}/{outcome.entry.path}"
