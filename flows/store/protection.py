"""What protects a finished run from `charmill gc`: a pin, or that it was used recently.

A pin is an empty file next to the run, `<root>/<stage>/<dataset>/.pin-<key>`.
A process that decides to reuse a run reserves it, which sets the time of its folder. Reserving and
removing both hold the run's lock, so either the process finds that the run is gone, or gc finds
that it was used.
"""

import errno
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from flows.errors import StageError
from flows.store.runs import StageRun, StageRuns

PIN = ".pin-"
GRACE = timedelta(days=1)
"""How long a reserved run is safe. A run that waits for a device begins to read it only later."""
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def reserve(run: StageRun) -> bool:
    """Protect a finished run for a day; False if it does not exist, or no longer.

    In a store that this user cannot write to, only checks that the run exists.
    """
    if not run.is_finished:
        return False
    try:
        with run.lock(lambda: None):
            if run.is_finished:
                os.utime(run.folder)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
    return run.is_finished


def reserve_all(runs: Iterable[StageRun]) -> bool:
    """Reserve several runs; whether all of them exist."""
    missing = [run for run in runs if not reserve(run)]
    return not missing


def last_used(run: StageRun) -> datetime:
    """When a finished run was made or last reserved; a copied folder counts as used when copied."""
    changed = datetime.fromtimestamp(run.folder.stat().st_mtime, UTC)
    try:
        created = datetime.fromisoformat(run.manifest.created).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return changed
    return max(changed, created)


def pin(run: StageRun) -> None:
    """Keep a run, and what it was made from, until it is unpinned.

    Raises:
        StageError: if it has no manifest, or was removed meanwhile.
    """
    with run.lock(lambda: None):
        if not run.is_finished:
            command = f"charmill verify {run.runs.dataset}"
            raise StageError(f"{run.runs}: {run.key} is gone or damaged; see `{command}`")
        (run.runs.folder / f"{PIN}{run.key}").touch()


def unpin(run: StageRun) -> None:
    """Let a run go again."""
    (run.runs.folder / f"{PIN}{run.key}").unlink(missing_ok=True)


def is_pinned(run: StageRun) -> bool:
    """Whether a run is pinned."""
    return (run.runs.folder / f"{PIN}{run.key}").exists()


def pinned_keys(runs: StageRuns) -> list[str]:
    """The keys of all pinned runs of a stage of a dataset; `charmill forget` removes these too."""
    keys = sorted(path.name.removeprefix(PIN) for path in runs.folder.glob(f"{PIN}*"))
    return [key for key in keys if runs.run(key).is_finished]
