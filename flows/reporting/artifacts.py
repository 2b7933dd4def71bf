"""Prefect artifacts of the flows: the plan, the corpus funnel, the reports and their index.

Every artifact has its own key, under which Prefect keeps its history. Each links to our own pages
if the server has them (`addresses.py`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from markupsafe import Markup
from prefect.artifacts import create_markdown_artifact

from evaluation.report.index import IndexRow
from flows.planning.plan import Decision, Plan
from flows.reporting.addresses import are_served, page_links, report_address
from flows.reporting.artifact_purge import describe
from flows.store.status import verdict
from system.clock import duration
from system.markdown import markdown

if TYPE_CHECKING:
    from corpora.corpus.summary import CorpusSummary
    from flows.planning.what_if import WhatIf
    from flows.retention.collect import Outcome

INDEX, REMOVED = "reports", "gc"
MAX_BYTES = 500_000
"""Prefect's database stores every artifact twice, and larger ones make the UI slow."""


def publish_plan(plan: Plan) -> None:
    """Show which stages will run, and why."""
    create_markdown_artifact(
        key=f"plan-{plan.dataset}",
        markdown=_linked(plan_markdown(plan), plan.dataset),
        description=plan_summary(plan),
    )


def plan_summary(plan: Plan) -> str:
    """The plan in one line."""
    if plan.is_current:
        return "Everything is current: nothing to run."
    names = ", ".join(d.stage for d in plan.decisions if d.action == "run")
    return f"To run: {names}{_about(plan.seconds)}."


def plan_markdown(plan: Plan) -> str:
    """The plan as a table."""
    rows = ((d.action, d.stage, _reason(d), _code(d.key)) for d in plan.decisions)
    head = f"# {plan.dataset}: the plan\n\n{plan_summary(plan)}\n\n"
    return head + _table(("action", "stage", "reason", "key"), rows)


def publish_corpus(dataset: str, folder: Path) -> None:
    """Show what every rule dropped, and what is left."""
    from corpora.corpus.summary import CorpusSummary

    summary = CorpusSummary.load(folder)
    create_markdown_artifact(
        key=f"corpus-{dataset}",
        markdown=_linked(corpus_markdown(dataset, summary), dataset),
        description=markdown(str(folder)),
    )


def corpus_markdown(dataset: str, summary: "CorpusSummary") -> str:
    """The funnel of a corpus, its splits and its licences."""
    from evaluation.metrics.catalogue import rule_label

    funnel = [("in the source", "", f"{summary.seen[0]:,}", _mb(summary.seen[1]))]
    funnel += [
        (
            rule_label(row.reason),
            f"{row.files_dropped:,}",
            f"{row.files_left:,}",
            _mb(row.bytes_left),
        )
        for row in summary.funnel
    ]
    splits = [
        (name, f"{size.documents:,}", f"{size.characters:,}")
        for name, size in summary.splits.items()
    ]
    licenses = [(name, f"{count:,}") for name, count in summary.licenses.items()]
    return "\n\n".join(
        (
            f"# {dataset}: the corpus",
            _table(("rule", "files dropped", "files left", "MB left"), funnel),
            _table(("split", "documents", "characters"), splits),
            _table(("licence", "documents"), licenses),
        )
    )


def publish_what_if(found: "WhatIf") -> None:
    """Show what changes of the settings of a corpus would do."""
    create_markdown_artifact(
        key=f"what-if-{found.dataset}",
        markdown=_linked(what_if_markdown(found), found.dataset),
        description=f"{markdown('; '.join(found.effects))}. Nothing was built.",
    )


def what_if_markdown(found: "WhatIf") -> str:
    """A table for each change, with the first files that have another decision."""
    from flows.planning.effect_table import EFFECT_HEADERS, effect_lines, effect_rows, problem_lines

    judged = f"Files of the fetch {_code(found.fetch)}, {markdown(found.fetched)}"
    parts = [f"# {found.dataset}: what if", judged]
    parts += map(markdown, problem_lines(found.now))
    for change, effect in found.effects.items():
        parts += [f"## {markdown(change)}", _table(EFFECT_HEADERS, effect_rows(found, effect))]
        parts.append("\n".join(f"- {markdown(line)}" for line in effect_lines(effect)))
    return "\n\n".join(parts)


def publish_report(dataset: str, folder: Path) -> None:
    """Show a report with its pictures; a long one is cut, with a note that says so."""
    text, page = (folder / "report.md").read_text(encoding="utf-8"), folder / "report.html"
    if are_served():
        link = f"**[The whole report]({report_address(dataset, folder.name)})**"
        text = f"{link}. {page_links(dataset)}\n\n{text}"
    create_markdown_artifact(
        key=f"report-{dataset}",
        markdown=shortened(text, page),
        description=describe(verdict(folder), page),
    )


def shortened(text: str, whole: Path) -> str:
    """The text, cut after a line if it exceeds MAX_BYTES."""
    data = text.encode()
    if len(data) <= MAX_BYTES:
        return text
    kept = data[:MAX_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\n*Cut here: the whole report is {whole}*\n"


def publish_index(rows: Iterable[IndexRow]) -> None:
    """Show the latest report of every dataset."""
    create_markdown_artifact(
        key=INDEX,
        markdown=index_markdown(rows),
        description="The latest report of every dataset.",
    )


def index_markdown(rows: Iterable[IndexRow]) -> str:
    """The rows of the index as a table."""
    headers = ("dataset", "state", "created", "bits/character", "gain over n-gram", "verdict")
    return "# Reports\n\n" + _table(headers, map(_index_cells, rows))


def publish_removed(outcome: "Outcome", flow_runs: int) -> None:
    """Show what gc has removed."""
    create_markdown_artifact(
        key=REMOVED,
        markdown=removed_markdown(outcome, flow_runs),
        description=f"{len(outcome.removed)} runs, {_mb(outcome.bytes)} MB.",
    )


def removed_markdown(outcome: "Outcome", flow_runs: int) -> str:
    """The runs that gc has removed, and the other things in one line each."""
    rows = [
        (one.run.runs.dataset, one.run.runs.stage, one.run.key, _mb(one.bytes), why)
        for group, suffix in ((outcome.removed, ""), (outcome.in_use, "; still there: in use"))
        for one in group
        for why in [one.why + suffix]
    ]
    return "\n\n".join(
        (
            f"# Removed: {len(outcome.removed)} runs, {_mb(outcome.bytes)} MB",
            _table(("dataset", "stage", "key", "MB", "reason"), rows),
            f"Folders of interrupted or damaged runs removed: {len(outcome.leftovers)}",
            f"Flow runs removed from the history: {flow_runs}",
        )
    )


def publish_sweep(key: str, title: str, rows: Iterable[tuple[str, str, UUID | None]]) -> None:
    """Show one line for each dataset: its name, what became of it, and the run to link."""
    cells = [
        (name, words, Markup(f"[run]({run_address(run)})") if run else "")  # noqa: S704
        for name, words, run in rows
    ]
    create_markdown_artifact(
        key=key,
        markdown=f"# {title}\n\n{_table(('dataset', 'outcome', 'run'), cells)}",
        description=f"{title} of {len(cells)} datasets.",
    )


def run_address(run: UUID) -> str:
    """Path in the UI of a flow run, valid on any host."""
    return f"/v2/runs/flow-run/{run}"


def _index_cells(row: IndexRow) -> tuple[str, ...]:
    name = row.dataset
    if row.key and are_served():
        name = Markup(f"[{markdown(name)}]({report_address(name, row.key)})")  # noqa: S704
    text = "; ".join((row.verdict or "no report yet", *row.notes))
    gain = "" if row.gain is None else f"{row.gain:+.3f}"
    bits = "" if row.bits is None else f"{row.bits:.3f}"
    return name, row.state, row.created or "", bits, gain, text


def _reason(decision: Decision) -> str:
    return f"{decision.reason}{_about(decision.seconds)}"


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {duration(seconds)}"


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; cells but `Markup` are escaped: none can break it or become markup."""
    return "\n".join(_table_lines(headers, rows))


def _table_lines(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return text if isinstance(text, Markup) else markdown(text)


def _linked(text: str, dataset: str) -> str:
    """The text, with links to the pages of the dataset."""
    links = page_links(dataset)
    return f"{text}\n\n{links}" if links else text


def _code(text: str) -> Markup:
    """A key of ours, as code."""
    return Markup(f"`{text}`")  # noqa: S704


def _mb(size: int) -> str:
    return f"{size / 1e6:,.2f}"
