"""Forked children: started in hundredths of a second, watched, and all found again when killed.

This process adopts the orphans of its children, so a process that outlives its parent is seen.
"""

import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.filesystem import die_before
from tests.faults.table import LostError, UnavailableError
from tests.processes import descendants, is_running

PR_SET_CHILD_SUBREAPER = 36
STOP_SECONDS = 10.0
"""A process that is asked to stop, or whose parent is dead, must have ended by then."""
PATIENCE_SECONDS = 120.0
"""For children that end by themselves, on the busiest machine."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process that works, and writes its result or its traceback into a folder."""

    pid: int
    folder: Path
    began: float

    @property
    def output(self) -> Path:
        return self.folder / f"output-{self.pid}"

    def result(self) -> str:
        return self.output.read_text().strip()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ends(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        raise LostError(f"a process was still running after {seconds} s")

    def ends_well(self, seconds: float = PATIENCE_SECONDS) -> float:
        """Wait for a successful end; returns how long the process ran."""
        status = self.ends(seconds)
        if status:
            raise LostError(f"a process ended with {status}:\n{self.result()}")
        return time.monotonic() - self.began

    def ends_or_dies(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait for the end; whether a signal ended it, as opposed to a success."""
        status = self.ends(seconds)
        if status > 0:
            raise LostError(f"a process ended with {status}:\n{self.result()}")
        return status < 0


def fork(work: Callable[[], str], *, folder: Path, kill_at: int = 0) -> Child:
    """Do the work in a child.

    Args:
        folder: receives its output; its temporary files go to `tmp` in it.
        kill_at: it dies before this change of the file system, 0 for never.
    """
    adopt_orphans()
    (folder / "tmp").mkdir(exist_ok=True)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _work(work, folder, kill_at)
    return Child(pid=pid, folder=folder, began=began)


def _work(work: Callable[[], str], folder: Path, kill_at: int) -> None:
    import tempfile

    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        output = os.open(folder / f"output-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
        for number in (1, 2):
            os.dup2(output, number)
        os.environ["TMPDIR"] = str(folder / "tmp")
        tempfile.tempdir = None
        if kill_at:
            die_before(kill_at)
        sys.stdout.write(work())
        sys.stdout.flush()
        status = 0
    except BaseException:  # noqa: BLE001 (a child must not return into its parent's code)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it."""
    if sys.platform != "linux":
        raise UnavailableError("only Linux gives orphans to a chosen process")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def assert_none_left(before: set[int], seconds: float = STOP_SECONDS) -> None:
    """Fail if a process that was not there before outlives its parent; kills it.

    Args:
        before: the descendants of this process that may run on.
    """
    deadline = time.monotonic() + seconds
    while left := living(before):
        if time.monotonic() > deadline:
            names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
            end_all(before)
            raise LostError(f"processes outlived their parent: {names}")
        time.sleep(0.01)


def living(before: set[int]) -> set[int]:
    """The descendants of this process that were not there before; buries those that ended."""
    for pid in descendants(os.getpid()) - before:
        _bury(pid)
    return {pid for pid in descendants(os.getpid()) - before if is_running(pid)}


def end_all(before: set[int]) -> None:
    """Kill every descendant that was not there before."""
    while left := living(before):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _bury(pid)


def _bury(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
