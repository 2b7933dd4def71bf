"""Fetch: download or copy the raw material of a dataset, as it is in the source now."""

from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpora.sources.youtube.store import expiry, forget, forgotten_ids
from flows.options import Run
from flows.store.stage import Stage, StageContext
from system.progress import Progress


def _parameters(run: Run) -> dict[str, Any]:
    return {"source": run.spec.source.model_dump(mode="json"), "found": run.resolution}


def _outdated(folder: Path) -> str | None:
    end = expiry(folder)
    if end is None or datetime.now(UTC) < end:
        return None
    return f"older than may be kept, since {end:%Y-%m-%d}; `charmill forget --expired` deletes it"


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    source = context.run.spec.source
    # Those of earlier fetches too: a new fetch must not bring back what was forgotten.
    for video_id in forgotten_ids(context.output.runs.folder):
        forget(context.directory, video_id)
    yield from source.fetch(context.run.resolution, context.directory)
    size = sum(path.stat().st_size for path in context.directory.rglob("*") if path.is_file())
    return {"found": context.run.resolution, "bytes": size}


FETCH = Stage(
    name="fetch",
    version=2,
    inputs=(),
    parameters=_parameters,
    work=_work,
    resumable=True,
    outdated=_outdated,
)
