"""Fetch: download or copy the current raw material of a dataset."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpora.errors import SourceError, SpecError
from corpora.sources import Source, parse_source
from corpora.sources.source import Resolution
from flows.options import Run
from flows.store.forget import forgotten_ids
from flows.store.manifest import Manifest
from flows.store.stage import Stage, StageContext
from system.pool import Pool, ThreadPool
from system.progress import Progress


def _parameters(run: Run) -> dict[str, Any]:
    return {"source": run.spec.source.model_dump(mode="json"), "found": run.resolution}


def _outdated(folder: Path) -> str | None:
    try:
        end = parse_source(Manifest.load(folder).parameters["source"]).expiry(folder)
    except SpecError as error:
        return f"fetched by another version of charmill ({error})"
    if end is None or datetime.now(UTC) < end:
        return None
    return f"past its retention since {end:%Y-%m-%d}; `charmill forget --expired` deletes it"


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    source = context.run.spec.source
    if source.items:
        # Items forgotten in earlier fetches too: a new fetch must not bring them back.
        for item in forgotten_ids(context.output.runs):
            source.items.delete(context.directory, item)
    if context.workers is not None:
        yield from in_parts(source, context.run.resolution, context.directory, context.workers)
    yield from source.fetch(context.run.resolution, context.directory)
    size = sum(path.stat().st_size for path in context.directory.rglob("*") if path.is_file())
    return {"found": context.run.resolution, "bytes": size}


def in_parts(
    source: Source, resolution: Resolution, directory: Path, workers: Pool
) -> Iterator[Progress]:
    """Bring the parts of a source in parallel. What fails is left to the source's own `fetch`."""
    parts = source.parts(resolution, directory)
    # On this machine, fetching means waiting for git: no process of ours needs to start for it.
    pool = workers if workers.is_running else ThreadPool(workers.size)
    for done, _ in enumerate(pool.in_order(bring, parts), start=1):
        note = f"fetched {done:,} of {len(parts):,} repositories"
        yield Progress.at(done / len(parts), note)


def bring(part: Callable[[], None]) -> str | None:
    """Bring one part of a fetch; return why it could not be brought."""
    try:
        part()
    except SourceError as error:
        return str(error)
    return None


FETCH = Stage(
    name="fetch",
    version=2,
    inputs=(),
    parameters=_parameters,
    work=_work,
    resumable=True,
    # What items a source with deletable items has depends on the day.
    reproducible=lambda run: run.spec.source.items is None,
    outdated=_outdated,
)
