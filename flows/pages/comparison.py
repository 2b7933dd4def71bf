"""Two reports, or two corpora, of a dataset compared; for the command line and for the pages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.errors import StageError
from flows.store.integrity import verified
from flows.store.runs import StageRun, StageRuns

if TYPE_CHECKING:
    from corpora.corpus.ledger import Difference
    from evaluation.results import Comparison


def compared_reports(before: StageRun, after: StageRun) -> "Comparison":
    """What changed between two reports, and whether it is significant.

    Raises:
        ReportError: if one has kept no evidence.
        DamageError: if one is damaged.
    """
    from evaluation.evidence import load_evidence
    from evaluation.report.compare import compare_evaluations
    from evaluation.report.render import load_report

    return compare_evaluations(
        load_evidence(verified(before)),
        load_evidence(verified(after)),
        old_key=before.key,
        new_key=after.key,
        headline=load_report(after.folder / "report.json").headline,
    )


def compared_corpora(before: StageRun, after: StageRun) -> "Difference":
    """What changed between two corpora, file by file.

    Raises:
        DamageError: if one is damaged.
    """
    from corpora.corpus.ledger import compare
    from corpora.corpus.parquet import LEDGER

    return compare(verified(before, LEDGER), verified(after, LEDGER))


def newest_pair(runs: StageRuns) -> tuple[str, str] | None:
    """The keys of the last run and of the one before it; None if there are no two."""
    try:
        before, after = runs.pair()
    except StageError:
        return None
    return before.key, after.key


def difference_groups(found: "Difference") -> Sequence[tuple[str, Sequence[str]]]:
    """The files that differ, by kind."""
    return (
        ("added", found.added),
        ("removed", found.removed),
        ("changed", found.changed),
        ("decision changed", [f"{n}: {old} -> {new}" for n, old, new in found.decisions]),
        ("moved to another split", [f"{n}: {old} -> {new}" for n, old, new in found.moved]),
    )
