"""Feed damaged input to code that reads it: an answer, or one line; in bounded time and memory."""

import math
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from system.errors import CharmillError
from tests.faults.table import LostError

CPU_SECONDS = 5.0
MAX_GROWTH_BYTES = 1_500_000_000
ATTEMPTS = 6
INPUTS = 50
"""Inputs of one round."""


@contextmanager
def bounded(what: object) -> Iterator[None]:
    """Whatever happens in the block to `what` must end soon, well or as a user's mistake."""
    began, before = time.process_time(), _peak_bytes()
    try:
        yield
    except CharmillError as error:
        if not str(error):
            raise LostError(f"{what!r:.200}: {type(error).__name__} without a word") from error
    except RecursionError as error:
        raise LostError(f"{what!r:.200}: {error}") from error
    seconds = time.process_time() - began
    if seconds > CPU_SECONDS:
        raise LostError(f"{what!r:.200}: took {seconds:.1f} s")
    if (grown := _peak_bytes() - before) > MAX_GROWTH_BYTES:
        raise LostError(f"{what!r:.200}: took {grown:,} bytes")


def linear(run: Callable[[str], object], text: Callable[[int], str], size: int, what: str) -> None:
    """Check that time grows with the size, not its square.

    Four times the text may take ten times as long: quadratic code takes sixteen. Other processes
    make a run slower, never faster, so the fastest of several runs of each size count.
    """
    small, large = text(size), text(4 * size)
    first = second = math.inf
    for _ in range(ATTEMPTS):
        first, second = min(first, _seconds(run, small)), min(second, _seconds(run, large))
        if second < 0.2 or second < 10 * max(first, 0.01):
            return
    raise LostError(f"{what}: {len(small):,} take {first:.2f} s, {len(large):,} {second:.2f} s")


def _seconds(run: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    run(text)
    return time.process_time() - began


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
