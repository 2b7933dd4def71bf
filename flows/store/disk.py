"""Disk space: check it before a start, explain running out of it, flush data to the disk."""

import shutil
from pathlib import Path

from flows.errors import StageError
from flows.store.runs import StageRun, Store
from system.files import sync_path

MIN_FREE_BYTES = 100_000_000
"""Enough for Prefect's database, a small corpus and a small model."""


def check_space(store: Store) -> None:
    """Refuse to start on a disk that is already full.

    Raises:
        StageError: if less than MIN_FREE_BYTES are free.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.root).free
    if free < MIN_FREE_BYTES:
        raise StageError(
            f"{store.root}: {free:,} bytes free, at least {MIN_FREE_BYTES:,} are needed"
        )


def no_space(run: StageRun, inputs: list[Path]) -> StageError:
    """The error for a full disk; estimates the need from the last run and the inputs."""
    runs = run.runs
    last = [runs.latest.folder] if runs.latest else []
    needed = max(map(_size, (run.work, *inputs, *last)))
    free = shutil.disk_usage(runs.store.root).free
    about = f", at least {needed:,} are needed" if needed else ""
    return StageError(
        f"{runs.store.root}: no space left while making {runs}: {free:,} bytes "
        f"free{about}; finished stages are kept; free some space and run again"
    )


def sync(directory: Path) -> None:
    """Flush everything under `directory` to the disk."""
    for path in sorted(directory.rglob("*")):
        sync_path(path)
    sync_path(directory)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
