"""Atomic writes: a file is there as a whole or not at all, even after a crash or a power cut."""

import errno
import hashlib
import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)


def write_whole(path: Path, content: bytes, mode: int = 0o666, *, concurrent: bool = False) -> None:
    """Write `content` to `path` by one rename, replacing what is there.

    Args:
        mode: permission bits, before the process's umask.
        concurrent: whether other processes may write the same path now. Without it, what a killed
            process left, `path` with the suffix `.partial`, is replaced by the next write.

    Raises:
        OSError: if it cannot be written; says how many bytes it needed. `path` is as it was.
    """
    owner = f".{os.getpid()}" if concurrent else ""
    partial = path.with_name(f"{path.name}{owner}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = f"{error.strerror}, {len(content)} bytes needed"
        raise OSError(error.errno, reason, str(path)) from error
    sync_path(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist, and bring their names to the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_path(folder.parent)


def rename_aside(folder: Path, prefix: str) -> Path:
    """Put `prefix` before the name of a folder: its place is free and nothing in it is lost."""
    target, number = folder.with_name(f"{prefix}{folder.name}"), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{prefix}{folder.name}.{number}")
    folder.rename(target)
    sync_path(folder.parent)
    logger.warning("%s: damaged or foreign, so it was set aside as %s", folder, target.name)
    return target


def sync_path(path: Path) -> None:
    """Flush a file to the disk, or a folder's entries: renames in it are durable afterwards."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes:
    """The content of a file. What is none is an error: a FIFO would block, a device never end.

    Raises:
        OSError: if it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Is no regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
