"""Syntax checks by a language's compiler, run with limits on CPU time, memory and wall time.

Nothing is compiled or run; the program only parses.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_KILOBYTES = 6 * 2**20
"""Address space of one process; the heap of javac has its own limit of half a GB."""

_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2" 2>&-; shift 2; exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on the time of one process.

    Attributes:
        cpu_seconds: about twenty times what javac takes for a batch of real members.
        wall_seconds: None for no limit.
    """

    cpu_seconds: int = 20
    wall_seconds: float | None = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """How to check code in one language.

    Attributes:
        programs: names of programs, any of which may be installed; code is valid if one accepts it.
        rejected: given programs, a folder, names of files in it, and limits, returns the names of
            the invalid files, or None if a file killed the program.
        good, bad: sources that test whether a program checks syntax, and only syntax.
        frame: text before and after a unit that makes it a file.
    """

    programs: Sequence[str]
    rejected: Callable[[Sequence[str], Path, Sequence[str], Limits], set[str] | None]
    good: str
    bad: str
    frame: tuple[str, str] = ("", "")
    limits: Limits = Limits()


def run_limited(
    command: Sequence[str], folder: Path, limits: Limits
) -> subprocess.CompletedProcess[bytes] | None:
    """Run a program in `folder`; None if it exceeds its wall time."""
    cpu_seconds = str(limits.cpu_seconds)
    limited = ["sh", "-c", _LIMITED, "sh", cpu_seconds, str(MAX_KILOBYTES), *command]
    with subprocess.Popen(
        limited,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=limits.wall_seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise
    return subprocess.CompletedProcess(limited, process.returncode, output, errors)
