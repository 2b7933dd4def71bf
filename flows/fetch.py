"""Fetch: bring the raw material of a dataset here, exactly as its source holds it now."""

from collections.abc import Generator
from typing import Any

from flows.progress import Update
from flows.run import Run
from flows.stage import Stage, Workplace


def _parameters(run: Run) -> dict[str, Any]:
    return {"source": run.spec.source.model_dump(mode="json"), "found": run.resolution}


def _work(place: Workplace) -> Generator[Update, None, dict[str, Any]]:
    source = place.run.spec.source
    for step in source.fetch(place.run.resolution, place.directory):
        fraction = step.done / step.total if step.total else None
        yield Update(fraction, f"{step.note} {step.done:,} {step.unit}".strip())
    size = sum(path.stat().st_size for path in place.directory.rglob("*") if path.is_file())
    return {"found": place.run.resolution, "bytes": size}


FETCH = Stage(
    name="fetch", version=1, inputs=(), parameters=_parameters, work=_work, resumable=True
)
