"""The index of all reports, `<root>/index.html`, made anew from what stands under the root.

One dataset that cannot be read takes a row of its own and blocks no other. A failure is told by its
record; a run that was killed left none, but a work folder that is younger than the last report and
that no process holds the lock of.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from evaluation.report.index import IndexRow, State, index_page
from evaluation.results import Metric
from flows.options import STAGE_NAMES, StageName
from flows.store.failures import failures
from flows.store.manifest import Manifest
from flows.store.paths import MANIFEST, Layout
from system.clock import minute, now_stamp
from system.errors import CharmillError
from system.files import write_whole

logger = logging.getLogger(__name__)
INDEX = "index.html"


@contextmanager
def renewing_index(layout: Layout) -> Iterator[None]:
    """Write the index when the block ends, well or not; an index that cannot be written is logged.

    A wish to stop leaves at once: nothing may come between it and the end of the process.
    """
    try:
        yield
    except Exception:
        _renew(layout)
        raise
    _renew(layout)


def _renew(layout: Layout) -> None:
    try:
        write_index(layout)
    except OSError as error:
        logger.warning("the index was not renewed: %s", error)


def write_index(layout: Layout) -> Path:
    """Write the index in one step; a reader sees the old one or the new one."""
    rows = [index_row(layout, dataset) for dataset in datasets(layout)]
    created = now_stamp()
    layout.root.mkdir(parents=True, exist_ok=True)
    target = layout.root / INDEX
    write_whole(target, index_page(rows, created=created).encode("utf-8"), concurrent=True)
    return target


def datasets(layout: Layout) -> list[str]:
    """Every dataset that any stage was begun for."""
    shelves = (path for stage in STAGE_NAMES for path in (layout.root / stage).glob("[!.]*"))
    return sorted({path.name for path in shelves if path.is_dir()})


def index_row(layout: Layout, dataset: str) -> IndexRow:
    """One dataset as it stands."""
    try:
        return _row(layout, dataset)
    except (CharmillError, ValueError, KeyError, OSError) as error:
        note = f"cannot be read: {error}"
        return IndexRow(dataset=dataset, state="failed", notes=[note])


def _row(layout: Layout, dataset: str) -> IndexRow:
    key = layout.latest_key("evaluate", dataset)
    made = Manifest.load(layout.published("evaluate", dataset, key)) if key else None
    told = failures(layout, dataset)
    at_work, left = _unfinished(layout, dataset, key)
    silent = left - {one.stage for one in told}
    failed = [*(one.words for one in told), *_notes("was begun and did not end", silent)]
    running = _notes("is running", at_work)
    notes = [*failed, *(_warnings(layout, made) if made else ()), *running]
    state: State = "failed" if failed else "running" if running else "warned" if notes else "good"
    report = _report(dataset, made) if made else {}
    return IndexRow(dataset=dataset, state=state, notes=notes, **report)


def _report(dataset: str, made: Manifest) -> dict[str, Any]:
    """What a finished evaluation says of itself."""
    found, metric = made.summary, made.summary.get("headline_metric")
    return {
        "verdict": found["verdict"],
        "link": quote(f"evaluate/{dataset}/{made.key}/report.html"),
        "bits": found["bits_per_char"],
        "gain": found["gain_over_ngram"],
        "headline": found["headline"],
        "metric": metric and Metric(**metric),
        "created": minute(made.created),
        "seconds": found["seconds_in_all"],
    }


def _notes(words: str, stages: set[StageName]) -> list[str]:
    return [f"{stage} {words}" for stage in STAGE_NAMES if stage in stages]


def _unfinished(
    layout: Layout, dataset: str, key: str | None
) -> tuple[set[StageName], set[StageName]]:
    """Stages at work now, and stages that were begun after the last report and did not end."""
    report = layout.published("evaluate", dataset, key) / MANIFEST if key else None
    since = report.stat().st_mtime if report else 0.0
    running, left = set(), set()
    for stage in STAGE_NAMES:
        for folder in layout.shelf(stage, dataset).glob(".work-*"):
            if _is_held(layout, stage, dataset, folder.name.removeprefix(".work-")):
                running.add(stage)
            elif _touched(folder) > since:
                left.add(stage)
    return running, left


def _touched(folder: Path) -> float:
    """When a work folder, or anything directly in it, was last written."""
    return max((path.stat().st_mtime for path in [folder, *folder.iterdir()]), default=0.0)


def _is_held(layout: Layout, stage: StageName, dataset: str, key: str) -> bool:
    """Whether a process holds the lock of this run."""
    path = layout.lock(stage, dataset, key)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _warnings(layout: Layout, made: Manifest) -> Iterator[str]:
    """Why a report is to be read with care."""
    for stage, key in made.inputs.items():
        if layout.latest_key(stage, made.dataset) not in (key, None):
            yield f"stale: {stage} was made anew since"
    yield from made.summary.get("warnings", ())
