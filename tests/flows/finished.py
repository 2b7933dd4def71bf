"""Finished runs that no stage made."""

from pathlib import Path
from typing import Any

from flows.store.manifest import Manifest
from flows.store.runs import StageRun


def finish(run: StageRun, **fields: Any) -> Path:
    """Publish a run that contains only a manifest; returns its folder.

    Args:
        fields: of the manifest, where they are not the usual ones.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    usual: dict[str, Any] = {
        "stage": run.runs.stage,
        "dataset": run.runs.dataset,
        "key": run.key,
        "inputs": {},
        "parameters": {},
        "version": 1,
        "summary": {},
        "seconds": 1.0,
        "attempts": 1,
        "created": "2026-11-22T12:00:00+00:00",
        "software": {},
    }
    Manifest(**(usual | fields)).save(run.folder)
    return run.folder
