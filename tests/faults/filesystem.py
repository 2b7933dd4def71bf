"""Changes of the file system that Python code makes, counted; a process can die before the N-th.

Python announces them as audit events. Those of libraries in C (pyarrow's files, writes into open
files) are not announced: kills at random moments meet these.
"""

import os
import signal
import sys
from collections.abc import Callable

CHANGES = {
    *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate"),
    "os.chmod",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def on_every_change(call: Callable[[], None]) -> None:
    """Call this before every change from now on; it lasts as long as the process."""

    def hook(event: str, arguments: tuple) -> None:
        if event in CHANGES or (event == "open" and _writes(arguments)):
            call()

    sys.addaudithook(hook)


def _writes(arguments: tuple) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & WRITING)


def die_before(number: int) -> None:
    """Kill this process before its `number`-th change of the file system."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    on_every_change(count)


def count_operations(work: Callable[[], str]) -> str:
    """Do the work; returns its result and the number of changes it made, with a space between."""
    changes = 0

    def count() -> None:
        nonlocal changes
        changes += 1

    on_every_change(count)
    result = work()
    return f"{result} {changes}"
