"""Locks on files: taken, or explained where the file system has none.

Some network file systems and FUSE mounts refuse flock. Without locks two processes could make the
same run, so this is an error rather than a warning.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from flows.errors import StageError
from system.settings import variable

LOCKLESS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


def acquire(lock: FileLock, timeout: float = -1) -> None:
    """Take a lock; waits for ever without a timeout in seconds.

    Raises:
        Timeout: another process holds it.
        StageError: the file system has no locks.
    """
    with explaining_lockless(Path(lock.lock_file)):
        lock.acquire(timeout=timeout)


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
