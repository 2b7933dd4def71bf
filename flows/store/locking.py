"""Locks on files: taken, or explained where the file system has none.

Some network file systems and FUSE mounts refuse flock. Without locks two processes could make the
same run, so this is an error rather than a warning.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from flows.errors import StageError
from system.files import make_folder
from system.settings import variable

LOCKLESS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def holding(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file; `on_wait` is called once if another process holds it.

    Raises:
        StageError: the file system has no locks.
    """
    lock = _lock(path)
    try:
        _acquire(lock, timeout=0)
    except Timeout:
        on_wait()
        _acquire(lock)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def holding_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock of a file if no process holds it; yields whether it is held now.

    Raises:
        StageError: the file system has no locks.
    """
    lock = _lock(path)
    try:
        _acquire(lock, timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def explaining_lockless(path: Path) -> Iterator[None]:
    """Turn the error of a file system without locks into a StageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise
        raise StageError(
            f"{path.parent}: the file system cannot lock files ({error.strerror}); set "
            f"{variable('artifacts')} to a folder on a local disk"
        ) from None


def _lock(path: Path) -> FileLock:
    make_folder(path.parent)
    return FileLock(path)


def _acquire(lock: FileLock, timeout: float = -1) -> None:
    """Take a lock; waits for ever without a timeout in seconds."""
    with explaining_lockless(Path(lock.lock_file)):
        lock.acquire(timeout=timeout)
