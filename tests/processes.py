"""Other processes, read from /proc, and waiting for conditions.

A wait ends as soon as its condition holds. The deadline only turns a hang into a failure, so it is
far longer than the busiest machine needs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx

Found = TypeVar("Found")
DEADLINE_SECONDS = 600.0
"""For whatever takes seconds on an idle machine; for `timeout=` of a subprocess too."""


def until(find: Callable[[], Found | None], seconds: float = DEADLINE_SECONDS) -> Found:
    """Wait until `find` returns something; fail if it never does.

    A server that does not answer yet is not a failure.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if found := find():
                return found
        time.sleep(0.05)
    raise AssertionError(f"still waiting after {seconds} s")


def _status(pid: int) -> tuple[str, int, int] | None:
    """State, parent and group of a process; None if there is none."""
    with suppress(OSError):
        state, parent, group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
        return state, int(parent), int(group)
    return None


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    status = _status(pid)
    return status is not None and status[0] != "Z"


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that are still running."""
    return set(filter(is_running, pids))


def _all() -> Iterator[tuple[int, int, int]]:
    """Every running process: its id, parent and group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _status(int(entry.name))) and status[0] != "Z":
            yield int(entry.name), *status[1:]


def members(group: int) -> set[int]:
    """Every process of a group."""
    return {pid for pid, _, its_group in _all() if its_group == group}


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, alive now."""
    parents = {child: parent for child, parent, _ in _all()}
    found, border = set(), {pid}
    while border:
        border = {child for child, parent in parents.items() if parent in border} - found
        found |= border
    return found
