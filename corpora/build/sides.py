"""Give every split a document, however few files there are.

Where the hashes leave a split empty, a text is moved into it. Fewer than three texts are cut into
parts by the shares of the split. Nothing changes where no split is empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from corpora.build.examine import read_again
from corpora.dedup.decontaminate import Decisions
from corpora.dedup.split import moves, split_of
from corpora.document import SPLITS, Outcome, Snapshot, Split
from corpora.spec import CorpusSpec
from corpora.text.parts import parts_of

Decide = Callable[[CorpusSpec, Mapping[str, Split]], Decisions]
"""Decides about all files again, for another spec and with other texts that must keep their split.
"""
MIN_TEXTS = len(SPLITS)
CUT = "cut into parts: too few texts for three splits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What is kept, and how it becomes documents.

    Attributes:
        fixed: digest to split, of documents whose split no hash decides.
        by_shares: whether every text is cut by the shares of the split.
    """

    decisions: Decisions
    fixed: Mapping[str, Split] = field(default_factory=dict)
    by_shares: bool = False

    @property
    def kept(self) -> list[Outcome]:
        """The files that become documents, in order."""
        return [outcome for outcome in self.decisions.outcomes if outcome.reason is None]


def arranged(
    decide: Decide, snapshot: Snapshot, spec: CorpusSpec, frozen: Mapping[str, Split]
) -> Arrangement:
    """Decide about all files so that no split is empty, if there is enough text for that.

    Args:
        frozen: digest to split, of documents that must keep their split.
    """
    first = Arrangement(decisions=decide(spec, frozen), fixed=frozen)
    if spec.part_characters:
        texts = _parts(first.kept, snapshot, spec, frozen)
    else:
        texts = _splits(first.kept)
    if not texts or set(texts.values()) == set(SPLITS):
        return first
    if len(texts) < MIN_TEXTS and not frozen:
        # What is cut into parts is decided about as if the dataset had asked for it.
        cut = spec.model_copy(update={"part_characters": spec.part_characters or 1_000})
        return Arrangement(decisions=_noted(decide(cut, frozen), lambda _: CUT), by_shares=True)
    moved = moves(texts, spec.split, frozen)
    if spec.part_characters:
        return replace(first, fixed={**frozen, **moved})
    return _with_moved(decide, first.kept, spec, frozen, moved)


def _splits(kept: Iterable[Outcome]) -> dict[str, Split]:
    """Digest to split of the first file of every cluster."""
    found: dict[str, Split] = {}
    for outcome in kept:
        if outcome.cluster is None and outcome.sha256 and outcome.split:
            found[outcome.sha256] = outcome.split
    return found


def _parts(
    kept: Sequence[Outcome], snapshot: Snapshot, spec: CorpusSpec, frozen: Mapping[str, Split]
) -> dict[str, Split]:
    """Digest to split of the parts of all texts; of the first ones, if they fill every split."""
    found: dict[str, Split] = {}
    for outcome, text in zip(kept, read_again(snapshot, kept, spec), strict=True):
        for _, digest, _ in parts_of(outcome, text, spec.part_characters):
            found[digest] = frozen.get(digest) or split_of(digest, spec.split)
        if set(found.values()) == set(SPLITS):
            break
    return found


def _with_moved(
    decide: Decide,
    kept: Iterable[Outcome],
    spec: CorpusSpec,
    frozen: Mapping[str, Split],
    moved: Mapping[str, Split],
) -> Arrangement:
    """Decide again with some texts moved, each with the near-copies that are kept with it."""
    heads: dict[str, Split] = {
        _name(o): moved[o.sha256] for o in kept if o.sha256 and o.sha256 in moved
    }
    new: dict[str, Split] = {}
    for outcome in kept:
        head = outcome.cluster or _name(outcome)
        if outcome.sha256 and head in heads:
            new[outcome.sha256] = heads[head]
    fixed: dict[str, Split] = {**frozen, **new}

    def note(outcome: Outcome) -> str:
        split = new.get(outcome.sha256 or "")
        return f"moved to {split}, which would be empty" if split else ""

    return Arrangement(decisions=_noted(decide(spec, fixed), note), fixed=fixed)


def _noted(decisions: Decisions, note: Callable[[Outcome], str]) -> Decisions:
    """Add notes to what the ledger says of kept files."""
    outcomes = [
        o if o.reason else replace(o, detail="; ".join(filter(None, (o.detail, note(o)))))
        for o in decisions.outcomes
    ]
    return replace(decisions, outcomes=outcomes)


def _name(outcome: Outcome) -> str:
    return f"{outcome.entry.source}/{outcome.entry.path}"
