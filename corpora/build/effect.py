"""What a change of settings does to a corpus: files and bytes that every rule drops, now and then.

Both corpora were made, or judged, from the same files; their summaries and ledgers are compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.build.metadata_filters import reasons
from corpora.corpus.ledger import compare, remarks
from corpora.corpus.summary import CorpusSummary, SplitSize
from corpora.spec import CorpusSpec

KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number of files, and their bytes in the source."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What some settings keep and drop.

    Attributes:
        dropped: by rule, in the order of the rules, without those that drop nothing.
        held_out: documents of validation and test.
        problem: why no corpus can be made with them, "" if one can.
    """

    seen: Amount
    kept: Amount
    dropped: Mapping[str, Amount]
    held_out: SplitSize
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that only one of two settings keeps.

    Attributes:
        name: "source/path".
        reason: the rule that drops it under the other.
        detail: what that rule saw.
    """

    name: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How a change of settings differs from those before.

    Attributes:
        rules: all rules that drop something with either, in order.
        dropped, kept: files that are dropped, or kept, because of the change, by name.
        other_rule: number of files that another rule drops.
        moved: number of kept files that fall into another split.
    """

    then: Judgement
    rules: Sequence[str]
    dropped: Sequence[ChangedFile]
    kept: Sequence[ChangedFile]
    other_rule: int
    moved: int


def judgement(directory: Path, problem: str = "") -> Judgement:
    """Read what the settings of a corpus keep and drop.

    Args:
        directory: with the summary of the corpus.
        problem: what `judge_corpus` returned.
    """
    summary = CorpusSummary.load(directory)
    dropped = {
        step.reason: Amount(files=step.files_dropped, bytes=step.bytes_dropped)
        for step in summary.funnel
    }
    files, size = summary.seen
    return Judgement(
        seen=Amount(files=files, bytes=size),
        kept=Amount(
            files=files - sum(each.files for each in dropped.values()),
            bytes=size - sum(each.bytes for each in dropped.values()),
        ),
        dropped=dropped,
        held_out=_joined([summary.splits["validation"], summary.splits["test"]]),
        problem=problem,
    )


def effect(
    now: Judgement, then: Judgement, folders: tuple[Path, Path], specs: tuple[CorpusSpec, ...]
) -> Effect:
    """Compare two settings.

    Args:
        folders: the ledgers of both, now and then.
        specs: both settings; they give the order of the rules.
    """
    before, after = folders
    difference = compare(before, after)
    lost = {name: new for name, old, new in difference.decisions if old == KEPT}
    gained = {name: old for name, old, new in difference.decisions if new == KEPT}
    order = dict.fromkeys(reason for spec in specs for reason in reasons(spec))
    return Effect(
        then=then,
        rules=[rule for rule in order if rule in now.dropped or rule in then.dropped],
        dropped=_files(lost, after),
        kept=_files(gained, before),
        other_rule=len(difference.decisions) - len(lost) - len(gained),
        moved=len(difference.moved),
    )


def _files(found: Mapping[str, str], ledger: Path) -> list[ChangedFile]:
    details = remarks(ledger, found)
    return [ChangedFile(name=n, reason=r, detail=details[n]) for n, r in found.items()]


def _joined(sizes: Iterable[SplitSize]) -> SplitSize:
    listed = list(sizes)
    return SplitSize(
        documents=sum(size.documents for size in listed),
        characters=sum(size.characters for size in listed),
    )
