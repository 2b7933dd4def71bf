"""A machine that lacks something: disk, memory, file handles, locks.

A round runs one stage under a random shortage. It may succeed or fail, but not crash, except for
want of memory. The store must be sound, and without the shortage the stage must finish as usual.
"""

import ctypes
import errno
import fcntl
import math
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from flows.options import StageName
from tests.faults.children import Child, fork
from tests.faults.dataset import DATASET, Kind
from tests.faults.kills import STEPS, Scene, scene
from tests.faults.table import Fault, LostError, UnavailableError

CLONE_NEWNS = 0x20000
PAGE = 4096
SYSTEM_ERRORS = ("OSError", "StageError", "SourceError", "GitError", "PermissionError")
"""What may end a stage when the operating system refuses something."""


def _some_stage(random: Random) -> tuple[Kind, StageName]:
    """Of the six, the slow ones more rarely."""
    return random.choices(STEPS, weights=(3, 3, 4, 2, 4, 1))[0]


def _ends(disturbed: Scene, work: Callable[[], object]) -> Child:
    """Execute the stage in a child, once `work` has made something scarce."""

    def make() -> str:
        work()
        return disturbed.make()

    child = fork(make, folder=disturbed.folder)
    status = child.ends()
    if status < 0:
        raise LostError(f"{disturbed.stage}: died of signal {-status} without a word")
    if status:
        _check_reason(child, disturbed.stage)
    disturbed.check()
    return child


def _check_reason(child: Child, stage: str) -> None:
    """Fail unless the last line of the traceback is an error of the system, or of ours."""
    lines = [line for line in child.result().splitlines() if line and not line.startswith(" ")]
    kind = lines[-1].partition(":")[0].rpartition(".")[2] if lines else "nothing"
    if kind not in SYSTEM_ERRORS and not kind.endswith("CharmillError"):
        raise LostError(f"{stage}: failed for another reason:\n{child.result()}")


def _full_disk(random: Random) -> None:
    """The file system of the store has a few kilobytes left."""
    kind, stage = _some_stage(random)
    with scene(kind, stage) as disturbed, _small_disk(disturbed) as set_free_pages:
        made = Path(disturbed.data.reference, stage, DATASET)
        most = math.log2(8 + 2.5 * _pages(made))
        set_free_pages(int(2 ** random.uniform(1, most)))
        _ends(disturbed, lambda: None)
        set_free_pages(16_384)
        disturbed.check_finished()


def _read_only(random: Random) -> None:
    """The file system of the store becomes read-only."""
    kind, stage = _some_stage(random)
    with scene(kind, stage) as disturbed, _small_disk(disturbed) as set_free_pages:
        set_free_pages(16_384)
        _mount("-o", "remount,ro", disturbed.artifacts)
        _ends(disturbed, lambda: None)
        _mount("-o", "remount,rw", disturbed.artifacts)
        disturbed.check_finished()


def _file_size(random: Random) -> None:
    """No file may be larger than a few kilobytes (`ulimit -f`)."""
    kind, stage = _some_stage(random)
    with scene(kind, stage) as disturbed:
        most, hard = int(2 ** random.uniform(8, 19)), resource.RLIM_INFINITY
        _ends(disturbed, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard)))
        disturbed.check_finished()


def _memory(random: Random) -> None:
    """The process gets little more memory than it has (`ulimit -v`)."""
    kind, stage = _some_stage(random)
    with scene(kind, stage) as disturbed:
        more = int(2 ** random.uniform(18, 28))

        def limit() -> None:
            now = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
            resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))

        def make() -> str:
            limit()
            return disturbed.make()

        # Libraries in C may abort, and any exception may be the first to fail.
        fork(make, folder=disturbed.folder).ends()
        disturbed.check()
        disturbed.check_finished()


def _file_handles(random: Random) -> None:
    """The process may open few files (`ulimit -n`)."""
    kind, stage = _some_stage(random)
    with scene(kind, stage) as disturbed:
        used = len(list(Path("/proc/self/fd").iterdir()))
        most = used + random.randint(0, 24)
        _ends(disturbed, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
        disturbed.check_finished()


def _no_locks(random: Random) -> None:
    """The file system has no flock, as some network file systems."""
    kind, stage = _some_stage(random)
    number = random.choice((errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK))

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    with scene(kind, stage) as disturbed:
        _ends(disturbed, lambda: setattr(fcntl, "flock", refuse))
        disturbed.check_finished()


def _pages(folder: Path) -> int:
    return sum(1 + path.stat().st_size // PAGE for path in folder.rglob("*"))


@contextmanager
def _small_disk(disturbed: Scene) -> Iterator[Callable[[int], None]]:
    """Put the store on a disk of its own; yields a function that sets its free pages."""
    _own_mounts()
    artifacts = disturbed.artifacts
    artifacts.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", artifacts)
    try:
        disturbed.data.copy_before(disturbed.stage, artifacts)

        def set_free_pages(number: int) -> None:
            used = os.statvfs(artifacts)
            size = (used.f_blocks - used.f_bfree + number) * used.f_bsize
            _mount("-o", f"remount,size={size}", artifacts)

        yield set_free_pages
    finally:
        subprocess.run(["umount", "--lazy", artifacts], check=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _own_mounts() -> None:
    """Give this process its own mounts, which end with it."""
    if os.geteuid() != 0:
        raise UnavailableError("only root may mount a small disk")
    libc = ctypes.CDLL(None, use_errno=True)
    private = ["mount", "--make-rprivate", "/"]
    if libc.unshare(CLONE_NEWNS) or subprocess.run(private, check=False).returncode:
        raise UnavailableError("this container may not mount a small disk")


FAULTS = [
    Fault(name="full disk", rounds=40, short_rounds=2, run=_full_disk),
    Fault(name="read-only store", rounds=10, short_rounds=1, run=_read_only),
    Fault(name="file size limit", rounds=30, short_rounds=1, run=_file_size),
    Fault(name="little memory", rounds=30, short_rounds=1, run=_memory),
    Fault(name="few file handles", rounds=30, short_rounds=1, run=_file_handles),
    Fault(name="no flock", rounds=10, short_rounds=1, run=_no_locks),
]
