"""Output of the command line: the plan, results and tables."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from evaluation.metrics.catalogue import interval_text, value_text
from evaluation.results import Metric
from flows.console import err, out
from flows.options import STAGE_NAMES
from flows.pages.comparison import difference_groups
from flows.planning.plan import Plan
from flows.store.integrity import verified
from flows.store.runs import StageRun
from flows.store.status import REPORT, StageState, verdict
from system.clock import duration, minute

if TYPE_CHECKING:
    from corpora.corpus.ledger import Difference
    from flows.planning.what_if import WhatIf
    from flows.store.forget import Removal
    from flows.store.verification import Verification


def show_plan(plan: Plan) -> None:
    """Print whether each stage will be reused or run, and why."""
    for decision in plan.decisions:
        style = "dim" if decision.action == "reuse" else "bold"
        head = f"{decision.action:<5} {decision.stage:<8}"
        why = escape(decision.reason) + _about(decision.seconds)
        err.print(f"[{style}]{head}[/] [dim]{decision.key[:8]}[/]  {why}")
    if not plan.is_current and plan.seconds is not None:
        err.print(f"[dim]about {duration(plan.seconds)} in total[/]")


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {duration(seconds)}"


def show_result(run: StageRun) -> None:
    """Print the verdict of a run, the path of its report, and what to do next."""
    folder, dataset = run.folder, run.runs.dataset
    if run.runs.stage != "evaluate":
        out.print(f"{run.runs}: {folder}", markup=False)
        return
    out.print(f"\n{verdict(verified(run, REPORT))}", markup=False)
    for threat in run.manifest.summary.get("warnings", ()):
        out.print(f"Threat: {threat}", markup=False)
    out.print(f"Report: {folder / 'report.html'}", markup=False)
    out.print(
        f"Next: `charmill report {dataset} --open` to read it, "
        f"`charmill sample {dataset} --stream` to generate text, "
        f"`charmill run {dataset} --preset base` to train longer.",
        markup=False,
    )


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()
) -> Table:
    """A plain table.

    Args:
        numbers: headers of columns that are aligned at the right.
    """
    result = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, header in enumerate(headers):
        # Names are what the user types, so they are shown whole however narrow the terminal is.
        justify = "right" if header in numbers else "left"
        result.add_column(header, justify=justify, no_wrap=number == 0)
    for row in rows:
        result.add_row(*map(escape, row))
    return result


def status_table(states: Mapping[str, Sequence[StageState]]) -> Table:
    """A row per dataset, a column per stage: when it finished, failures, and unfinished runs."""
    rows = ((name, *map(_cell, row)) for name, row in states.items())
    return table(("dataset", *STAGE_NAMES), rows)


def damage_lines(states: Mapping[str, Sequence[StageState]]) -> Iterator[str]:
    """What `status` cannot read, and why."""
    for dataset, row in states.items():
        yield from (f"{one.stage} of {dataset}: {one.damage}" for one in row if one.damage)


def verification_table(found: "Sequence[Verification]") -> Table:
    """A row per run."""
    rows = ((one.dataset, one.stage, one.key, one.outcome) for one in found)
    return table(("dataset", "stage", "key", ""), rows)


def verification_lines(found: "Sequence[Verification]") -> Iterator[str]:
    """What is damaged, what to do about it, and a count."""
    for one in found:
        head = f"{one.stage} of {one.dataset}, {one.key}"
        yield from (f"{head}: {fault}" for fault in one.faults)
        if one.advice:
            yield f"{head}: {one.advice}"
    counts = Counter(one.outcome for one in found)
    yield ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items()) or "no runs"


def score_table(metrics: Mapping[str, Metric]) -> Table:
    """A row per metric."""
    rows = (
        (key, value_text(key, metric), interval_text(key, metric), f"{metric.n:,}")
        for key, metric in metrics.items()
    )
    return table(("metric", "value", "95 % interval", "n"), rows, numbers=("value", "n"))


def _cell(state: StageState) -> str:
    finished = minute(state.manifest.created) if state.manifest else "-"
    if state.damage:
        return f"{finished} (DAMAGED)"
    if state.failure:
        return f"{finished} (FAILED: {state.failure.reason})"
    return f"{finished} (unfinished: {len(state.unfinished)})" if state.unfinished else finished


def explanation(row: Mapping[str, Any]) -> str:
    """Format a ledger's record of one file, a field per line; empty fields are omitted."""
    known = {key: value for key, value in row.items() if value not in (None, "")}
    return "\n".join(f"{key.replace('_', ' '):<13} {value}" for key, value in known.items())


def filter_tables(found: "WhatIf") -> "Iterator[Table | str]":
    """What each filter drops: one table, or one for each change, each with its lines."""
    from flows.planning import effect_table

    yield f"{found.dataset}, fetch {found.fetch}, {found.fetched}"
    yield from effect_table.problem_lines(found.now)
    if not found.effects:
        yield table(effect_table.HEADERS, effect_table.rows(found), numbers=effect_table.NUMBERS)
    for change, effect in found.effects.items():
        yield f"\n{change}"
        rows = effect_table.effect_rows(found, effect)
        yield table(effect_table.EFFECT_HEADERS, rows, numbers=effect_table.NUMBERS)
        yield from effect_table.effect_lines(effect)


def removal_lines(removals: "Sequence[Removal]") -> Iterator[str]:
    """One line for each run that will be deleted or changed."""
    for one in removals:
        what = "all of it" if one.texts is None else f"{one.texts:,} {one.unit}"
        yield f"{one.stage:<8} {one.key:<24} {what}"


def difference(found: "Difference", shown: int) -> Iterator[str]:
    """Format what changed between two corpora, with a few names of each kind."""
    kept, kept_bytes = found.kept, found.kept_bytes
    yield f"kept: {kept[0]:,} -> {kept[1]:,} files, {kept_bytes[0]:,} -> {kept_bytes[1]:,} bytes"
    for reason, (old, new) in found.reasons.items():
        if old != new:
            yield f"dropped, {reason}: {old:,} -> {new:,} files"
    for label, names in difference_groups(found):
        yield f"{label}: {len(names):,} files"
        yield from (f"  {name}" for name in names[:shown])
        if len(names) > shown:
            yield f"  ... and {len(names) - shown:,} more"
