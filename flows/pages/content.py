"""The pages as HTML: what is on each, for a server and for files alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from corpora.corpus.ledger import search
from corpora.corpus.summary import SUMMARY, CorpusSummary
from evaluation.metrics.catalogue import meaning_of
from evaluation.report import plots
from evaluation.report.compare import summary as change_summary
from evaluation.report.index import index_page
from evaluation.report.render import environment
from evaluation.report.trend import Series, trend_chart
from evaluation.results import Metric, ReportCurvePoint
from flows.pages.comparison import (
    compared_corpora,
    compared_reports,
    difference_groups,
    newest_pair,
)
from flows.pages.ledger import ledger_of
from flows.pages.links import Links, Pair
from flows.pages.training import Training, training_of
from flows.pages.trend import TrendRow, trend
from flows.reporting.index import index_row, index_rows
from flows.store.integrity import verified
from flows.store.runs import Store
from system.clock import now_stamp

MAX_REPORTS, MAX_NAMES, LEDGER_ROWS = 500, 200, 100
MAX_POINTS = 600
ANY = "*"
"""In place of a reason, in the query of a search; "" is kept."""
REFRESH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Pages:
    """All pages of a store."""

    store: Store
    links: Links

    def index(self) -> str:
        """Every dataset: state, newest report, problems first."""
        rows = [
            replace(
                row,
                link=self.links.report(row.dataset, row.key) if row.key else None,
                page=self.links.dataset(row.dataset),
            )
            for row in index_rows(self.store)
        ]
        return index_page(rows, created=now_stamp(), home=self.links.home)

    def dataset(self, dataset: str, artifacts: Mapping[str, str] | None = None) -> str:
        """A dataset: its trend, its reports, and the figures of its newest corpus.

        Args:
            artifacts: further links in Prefect's UI, by label.
        """
        reports = trend(self.store, dataset)[-MAX_REPORTS:]
        has_corpus = self.store.runs("corpus", dataset).latest is not None
        return self._render(
            "dataset.html.j2",
            dataset,
            row=index_row(self.store, dataset),
            reports=list(reversed(list(_with_previous(reports)))),
            max_reports=MAX_REPORTS,
            chart=_trend_charts(reports),
            corpus=_corpus(self.store, dataset) if has_corpus else None,
            compared=newest_pair(self.store.runs("evaluate", dataset)),
            diffed=newest_pair(self.store.runs("corpus", dataset)),
            training=_training_state(self.store, dataset),
            artifacts=artifacts or {},
        )

    def compare(self, dataset: str, pair: Pair) -> str:
        """Two reports, each named by its key or the beginning of it."""
        before, after = self.store.runs("evaluate", dataset).pair(*pair)
        found = compared_reports(before, after)
        return self._render(
            "compare.html.j2",
            dataset,
            runs=(before, after),
            found=found,
            summary=change_summary(found),
        )

    def diff(self, dataset: str, pair: Pair) -> str:
        """Two corpora, each named by its key or the beginning of it."""
        before, after = self.store.runs("corpus", dataset).pair(*pair)
        found = compared_corpora(before, after)
        return self._render(
            "diff.html.j2",
            dataset,
            runs=(before, after),
            found=found,
            groups=difference_groups(found),
            max_names=MAX_NAMES,
        )

    def ledger(self, dataset: str, text: str, reason: str | None, page: int) -> str:
        """The files whose name contains a text, a page at a time."""
        ledger = ledger_of(self.store, dataset)
        skip = (page - 1) * LEDGER_ROWS
        found = search(ledger.folder, text, reason=reason, skip=skip, limit=LEDGER_ROWS)
        return self._render(
            "ledger.html.j2",
            dataset,
            ledger=ledger,
            found=found,
            text=text,
            reason=reason,
            page=page,
            pages=max(1, -(-found.total // LEDGER_ROWS)),
            first=skip + 1,
            query=lambda number: urlencode(
                {"q": text, "reason": ANY if reason is None else reason, "page": number}
            ),
            file_query=lambda source, path: urlencode({"file": f"{source}/{path}"}),
        )

    def file(self, dataset: str, path: str) -> str:
        """Everything that the ledger records about a file."""
        ledger = ledger_of(self.store, dataset)
        return self._render(
            "file.html.j2", dataset, ledger=ledger, path=path, rows=ledger.explain(path)
        )

    def training(self, dataset: str) -> str:
        """The learning curve of the training in progress, or of the last one."""
        found = training_of(self.store, dataset)
        return self._render(
            "training.html.j2",
            dataset,
            training=found,
            chart=_curve_charts(found) if found and found.points else "",
            refresh=REFRESH_SECONDS if found and found.is_running else None,
        )

    def problem(self, title: str, text: str) -> str:
        """Why a page cannot be shown."""
        return self._render("problem.html.j2", "", title=title, text=text)

    def _render(self, template: str, dataset: str, **values: object) -> str:
        rules = environment(template)
        loader = ChoiceLoader([PackageLoader("flows.pages"), PackageLoader("evaluation.report")])
        page = rules.overlay(loader=loader).get_template(template)
        shared = {"dataset": dataset, "links": self.links, "created": now_stamp()}
        return page.render(**({"refresh": None} | shared | values))


def _training_state(store: Store, dataset: str) -> str:
    """Either "running", "finished", or "" if there never was a training."""
    runs = store.runs("train", dataset)
    if any(run.is_locked for run in runs.unfinished()):
        return "running"
    return "finished" if runs.latest else ""


def _with_previous(reports: Sequence[TrendRow]) -> list[tuple[TrendRow, TrendRow | None]]:
    """Each report with the one before it."""
    return list(zip(reports, [None, *reports[:-1]], strict=True)) if reports else []


def _trend_charts(reports: Sequence[TrendRow]) -> Markup | None:
    """Bits, headline metric and corpus size; None with fewer than two reports."""
    if len(reports) < 2:
        return None
    series = [
        Series(
            label="bits per character (lower is better)",
            values=tuple(one.bits for one in reports),
            rival=tuple(one.bits + one.gain for one in reports),
        )
    ]
    headline = reports[-1].headline
    metrics = [one.metric if one.headline == headline else None for one in reports]
    values = tuple(one.value if one else None for one in metrics)
    if headline and any(value is not None for value in values):
        meaning = meaning_of(headline)
        series.append(
            Series(
                label=meaning.label.lower(),
                values=values,
                intervals=tuple(_interval(one) for one in metrics),
                is_share=meaning.unit != "number",
            )
        )
    if any(one.characters is not None for one in reports):
        sizes = tuple(one.characters for one in reports)
        series.append(Series(label="characters in the corpus", values=sizes))
    return _drawn(tuple(series))


def _interval(metric: Metric | None) -> tuple[float, float] | None:
    """Its interval, which JSON turned into a list."""
    if metric is None or metric.interval is None:
        return None
    low, high = metric.interval
    return low, high


@lru_cache(maxsize=32)
def _drawn(series: tuple[Series, ...]) -> Markup:
    """The chart: drawing takes most of the time of a page, and it rarely changes."""
    return _both(partial(trend_chart, series), "trend")


def _curve_charts(training: Training) -> Markup:
    points = [
        ReportCurvePoint(
            characters=point.characters,
            seconds=point.seconds,
            train_bits=point.train_bits,
            validation_bits=point.validation_bits,
        )
        for point in training.shown(MAX_POINTS)
    ]
    return _both(partial(plots.curve_chart, points), "learning curve")


def _both(draw: partial, name: str) -> Markup:
    """A chart in two widths; the page shows the one that fits."""
    parts = [
        f"<div class={style}>{plots.to_svg(draw(width), f'{name} {style}', f'{name} chart')}</div>"
        for style, width in (("wide", plots.WIDE), ("narrow", plots.NARROW))
    ]
    return Markup("".join(parts))  # noqa: S704 (generated here)


def _corpus(store: Store, dataset: str) -> tuple[str, CorpusSummary]:
    """Key and figures of the newest corpus."""
    run = store.runs("corpus", dataset).last()
    folder: Path = verified(run, SUMMARY)
    return run.key, CorpusSummary.load(folder)
