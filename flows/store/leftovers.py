"""Remove whole folders of the store, and what killed processes left in it.

A folder is renamed first and deleted afterwards. A process that is killed in between leaves a
folder under a name that nothing reads, and the next sweep deletes the rest.
"""

import logging
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from flows.store.runs import SET_ASIDE, WORK, StageRun, StageRuns
from system.files import sync_path

logger = logging.getLogger(__name__)
GONE = ".gone-"
REMOTE = ".remote-"
UNUSED = timedelta(days=7)
"""How long an interrupted run can be resumed, and a damaged one be looked at."""


def discard(folder: Path) -> None:
    """Take a folder out of the store by one rename that survives a power cut."""
    folder.rename(folder.with_name(f"{GONE}{folder.name}-{secrets.token_hex(4)}"))
    sync_path(folder.parent)


def empty_trash(runs: StageRuns) -> None:
    """Delete what was discarded, now or by a process that was killed; two may do so at once."""
    discarded = list(runs.folder.glob(f"{GONE}*"))
    for path in discarded:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if path.exists():
            logger.warning("%s could not be deleted; remove it by hand", path)
    if discarded:
        sync_path(runs.folder)


def leftovers(runs: StageRuns, now: datetime, unused: timedelta = UNUSED) -> Iterator[Path]:
    """Folders of interrupted runs, broken downloads and damaged runs that nobody needs any more.

    They have not changed for `unused`, and no process holds their lock. Discarded folders are
    yielded whatever their age.
    """
    yield from runs.folder.glob(f"{GONE}*")
    before = (now - unused).timestamp()
    for prefix in (WORK, REMOTE, SET_ASIDE):
        for folder in sorted(runs.folder.glob(f"{prefix}*")):
            if _unchanged_since(folder, before) and not _maker(runs, folder).is_locked:
                yield folder


def sweep(runs: StageRuns, now: datetime, unused: timedelta = UNUSED) -> list[Path]:
    """Delete the leftovers of a stage of a dataset; returns their paths.

    A run whose lock is held, by this process or another, keeps its folder.
    """
    swept = []
    for folder in leftovers(runs, now, unused):
        if folder.name.startswith(GONE) or _discard_if_free(runs, folder):
            swept.append(folder)
    empty_trash(runs)
    return swept


def _discard_if_free(runs: StageRuns, folder: Path) -> bool:
    try:
        with _maker(runs, folder).lock_if_free() as is_free:
            if not is_free or not folder.exists():
                return False
            discard(folder)
    except OSError as error:
        logger.warning("%s could not be removed: %s", folder, error)
        return False
    return True


def _maker(runs: StageRuns, folder: Path) -> StageRun:
    """The run that a process makes, or fetches, in a folder with a leading dot."""
    prefix = next(one for one in (WORK, REMOTE, SET_ASIDE) if folder.name.startswith(one))
    return runs.run(folder.name.removeprefix(prefix))


def _unchanged_since(folder: Path, moment: float) -> bool:
    """Whether a folder was not renamed, and nothing in it was written, since `moment`."""
    try:
        # Only the change time shows when a damaged run was set aside, which is a rename.
        if folder.name.startswith(SET_ASIDE) and folder.stat().st_ctime > moment:
            return False
        return all(path.lstat().st_mtime <= moment for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:  # somebody is working in it
        return False
