"""Remove what `choose` chose, if it still can go.

A run is removed while its lock is held, after everything that needs it, and only if it has been
neither reused nor pinned since. Its folder is renamed before it is deleted, so a process that is
killed at any moment leaves complete runs only, each with all that it needs.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from flows.options import STAGE_NAMES
from flows.retention.choose import Choice, Verdict, choose
from flows.retention.limits import Limits
from flows.store.leftovers import discard, empty_trash, sweep
from flows.store.locking import holding
from flows.store.protection import is_pinned, last_used
from flows.store.runs import StageRun, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was removed.

    Attributes:
        in_use: runs that were to be removed, but were in use, or not this user's to remove.
    """

    removed: tuple[Verdict, ...]
    in_use: tuple[Verdict, ...]
    leftovers: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Size of the runs that were removed."""
        return sum(one.bytes for one in self.removed)


def collect(
    store: Store,
    limits: Limits,
    now: datetime,
    *,
    tomls: Mapping[str, Path],
    datasets: Sequence[str] = (),
    shown: Choice | None = None,
) -> Outcome:
    """Remove what can go; a second gc of the same store waits.

    Args:
        shown: what the user has agreed to; nothing else is removed.
    """
    with _alone(store):
        choice = choose(store, limits, now, tomls=tomls, datasets=datasets)
        removed, in_use = _remove(choice, shown or choice)
        swept = [
            folder
            for dataset in (datasets or store.datasets())
            for runs in store.stages(dataset)
            for folder in sweep(runs, now)
        ]
        _remove_locks(store)
    return Outcome(removed=tuple(removed), in_use=tuple(in_use), leftovers=tuple(swept))


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    with holding(store.lock("gc"), lambda: None):
        yield


def _remove(choice: Choice, shown: Choice) -> tuple[list[Verdict], list[Verdict]]:
    """Remove the runs that go and were shown; returns them, and those that were in use."""
    agreed = {one.run for one in shown.goes}
    removed: list[Verdict] = []
    in_use: list[Verdict] = []
    stays: set[StageRun] = set()
    for one in choice.goes:
        if one.run in agreed and one.run not in stays and _remove_if_unused(one):
            removed.append(one)
            empty_trash(one.run.runs)
        else:
            in_use.append(one)
            stays |= one.needs
    return removed, in_use


def _remove_if_unused(one: Verdict) -> bool:
    run = one.run
    with run.lock_if_free() as is_free:
        if not is_free or run.runs.latest == run or is_pinned(run):
            return False
        if not run.is_finished or last_used(run) > one.used:
            return False
        try:
            discard(run.folder)
        except PermissionError as error:
            logger.warning("%s: %s was not removed: %s", run.runs, run.key, error)
            return False
    logger.info("%s: %s removed, %s bytes", run.runs, run.key, one.bytes)
    return True


def _remove_locks(store: Store) -> None:
    """Delete the lock files of runs; a process that waits for one finds that out and makes it."""
    for path in store.lock("any").parent.glob("*.lock"):
        if not path.name.startswith(tuple(f"{stage}-" for stage in STAGE_NAMES)):
            continue
        lock = FileLock(path)
        with suppress(Timeout), lock.acquire(timeout=0):
            path.unlink(missing_ok=True)
