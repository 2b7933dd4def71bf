"""Disk space: check it before a start, explain running out of it, flush data to the disk."""

import errno
import os
import resource
import shutil
from pathlib import Path

from flows.errors import StageError
from flows.store.runs import StageRun, Store
from system.files import make_folder, sync_path

REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR),
    *(errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE),
}
"""Errors of the system that tell of the disk and its permissions, not of a bug."""
MIN_FREE_BYTES = 100_000_000
"""Enough for Prefect's database, a small corpus and a small model."""
MIN_FILE_BYTES = 20_000_000
"""Enough for Prefect's database to grow by what a run adds to it."""


def check_space(store: Store) -> None:
    """Refuse to start on a disk that is full, or where files cannot be written or grow.

    Raises:
        StageError: if less than MIN_FREE_BYTES are free, Prefect's database cannot grow by
            MIN_FILE_BYTES, or the folder cannot be written to.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    needed = MIN_FILE_BYTES + _database_bytes(store)
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise StageError(
            f"this process may write files of {limit:,} bytes at most (ulimit -f), "
            f"at least {needed:,} are needed"
        )
    try:
        make_folder(store.root)
    except OSError as error:
        raise StageError(f"{store.root}: cannot be made: {error.strerror}") from None
    if not os.access(store.root, os.W_OK | os.X_OK):
        raise StageError(f"{store.root}: this user may not write there, or it is read-only")
    free = shutil.disk_usage(store.root).free
    if free < MIN_FREE_BYTES:
        raise StageError(
            f"{store.root}: {free:,} bytes free, at least {MIN_FREE_BYTES:,} are needed"
        )


def no_space(run: StageRun, inputs: list[Path], code: int = errno.ENOSPC) -> StageError:
    """The error for a write that found no room, by its errno.

    For a full disk, the need is estimated from the last run and the inputs.
    """
    runs = run.runs
    if code != errno.ENOSPC:
        return StageError(
            f"{runs.store.root}: {_limit(code)} while making {runs}; finished stages are kept; "
            "raise the limit and run again"
        )
    last = [runs.latest.folder] if runs.latest else []
    needed = max(map(_size, (run.work, *inputs, *last)))
    free = shutil.disk_usage(runs.store.root).free
    about = f", at least {needed:,} are needed" if needed else ""
    return StageError(
        f"{runs.store.root}: no space left while making {runs}: {free:,} bytes "
        f"free{about}; finished stages are kept; free some space and run again"
    )


def explained(error: OSError, store: Store) -> StageError | None:
    """The error for a file of the store that the system refuses to read or write.

    None if it is none: other errors are not the user's.
    """
    if not isinstance(error.filename, str | os.PathLike):
        return None
    path = Path(error.filename)
    is_refusal = error.errno in REFUSALS and path.is_relative_to(store.root)
    return StageError(f"{path}: {error.strerror}") if is_refusal or path == store.root else None


def _database_bytes(store: Store) -> int:
    """The size of Prefect's database, or of what is still to be written into it."""
    sizes = (path.stat().st_size for path in store.prefect_home.glob("prefect.db*"))
    return max(sizes, default=0)


def _limit(code: int) -> str:
    if code == errno.EDQUOT:
        return "your disk quota is used up"
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return "a file grew larger than the file system allows"
    return f"a file grew larger than this process may write (ulimit -f: {limit:,} bytes)"


def sync(directory: Path) -> None:
    """Flush everything under `directory` to the disk."""
    for path in sorted(directory.rglob("*")):
        sync_path(path)
    sync_path(directory)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
