"""The index of all reports, `<root>/index.html`, rebuilt from the artifact store.

A dataset that cannot be read gets a row that says why, and does not affect the others. A failed run
leaves a record. A killed run leaves none, but a work folder that is younger than the last report
and whose lock no process holds.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evaluation.report.index import IndexRow, State, index_page
from evaluation.results import Metric
from flows.options import STAGE_NAMES, StageName
from flows.reporting.addresses import FOLDER
from flows.store.integrity import damage, faults
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRun, Store
from flows.store.status import failures
from system.clock import minute, now_stamp
from system.errors import CharmillError
from system.files import write_whole

logger = logging.getLogger(__name__)
INDEX = "index.html"


@contextmanager
def renewing_index(store: Store) -> Iterator[None]:
    """Write the index when the block ends or fails; an index that cannot be written is logged.

    Ctrl-C and SIGTERM skip it: nothing may delay the end of the process.
    """
    try:
        yield
    except Exception:
        _renew(store)
        raise
    _renew(store)


def _renew(store: Store) -> None:
    try:
        write_index(store)
    except OSError as error:
        logger.warning("the index was not renewed: %s", error)


def write_index(store: Store) -> Path:
    """Write the index atomically; returns its path."""
    rows = [replace(row, page=_page(store, row.dataset)) for row in index_rows(store)]
    created = now_stamp()
    store.root.mkdir(parents=True, exist_ok=True)
    target = store.root / INDEX
    write_whole(target, index_page(rows, created=created).encode("utf-8"), concurrent=True)
    return target


def _page(store: Store, dataset: str) -> str | None:
    """The page about a dataset, if `charmill report --all` has written it."""
    page = f"{FOLDER}/{dataset}/{INDEX}"
    return quote(page) if (store.root / page).exists() else None


def index_rows(store: Store) -> list[IndexRow]:
    """A row for every dataset."""
    return [index_row(store, dataset) for dataset in store.datasets()]


def index_row(store: Store, dataset: str) -> IndexRow:
    """The current state of one dataset."""
    try:
        return _row(store, dataset)
    except (CharmillError, KeyError, OSError) as error:
        note = f"cannot be read: {error}"
        return IndexRow(dataset=dataset, state="failed", notes=[note])


def _row(store: Store, dataset: str) -> IndexRow:
    latest = store.runs("evaluate", dataset).linked
    if latest and (found := [one for one in faults(latest) if not one.is_surplus]):
        raise damage(latest, found)
    report = latest.manifest if latest else None
    recorded = failures(store, dataset)
    in_progress, killed = _unfinished(store, dataset, latest)
    unrecorded = killed - {failure.stage for failure in recorded}
    failed = [
        *(failure.summary for failure in recorded),
        *_notes("was interrupted", unrecorded),
    ]
    running = _notes("is running", in_progress)
    notes = [*failed, *(_warnings(store, report) if report else ()), *running]
    state: State = "failed" if failed else "running" if running else "warnings" if notes else "good"
    figures = _figures(report) if report else {}
    return IndexRow(dataset=dataset, state=state, notes=notes, **figures)


def _figures(report: Manifest) -> dict[str, Any]:
    """The columns of a finished evaluation."""
    summary, metric = report.summary, report.summary.get("headline_metric")
    return {
        "verdict": summary["verdict"],
        "link": quote(f"evaluate/{report.dataset}/{report.key}/report.html"),
        "key": report.key,
        "bits": summary["bits_per_char"],
        "gain": summary["gain_over_ngram"],
        "headline": summary["headline"],
        "metric": metric and Metric(**metric),
        "created": minute(report.created),
        "seconds": summary["seconds_in_all"],
    }


def _notes(text: str, stages: set[StageName]) -> list[str]:
    return [f"{stage} {text}" for stage in STAGE_NAMES if stage in stages]


def _unfinished(
    store: Store, dataset: str, report: StageRun | None
) -> tuple[set[StageName], set[StageName]]:
    """Stages in progress, and stages that were killed after the last report."""
    since = (report.folder / MANIFEST).stat().st_mtime if report else 0.0
    in_progress: set[StageName] = set()
    killed: set[StageName] = set()
    for runs in store.stages(dataset):
        for run in runs.unfinished():
            if run.is_locked:
                in_progress.add(runs.stage)
            elif _modified(run.work) > since:
                killed.add(runs.stage)
    return in_progress, killed


def _modified(folder: Path) -> float:
    """When a work folder, or anything directly in it, was last written."""
    return max((path.stat().st_mtime for path in [folder, *folder.iterdir()]), default=0.0)


def _warnings(store: Store, report: Manifest) -> Iterator[str]:
    """Why a report must be read with care."""
    for runs in store.stages(report.dataset):
        used, latest = report.inputs.get(runs.stage), runs.latest
        if used and latest and latest.key != used:
            yield f"stale: {runs.stage} has run again since"
    yield from report.summary.get("warnings", ())
