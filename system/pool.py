"""Work on many tasks in a few processes, results in the order of the tasks.

Few tasks wait at a time, so memory does not grow with their number. Workers die with this process.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from system.processes import dying_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
WAITING_PER_WORKER = 2


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int
) -> Iterator[Result]:
    """Yield `function(task)` for every task, in their order; with one worker, in this process."""
    if workers == 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_enter) as pool:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= workers * WAITING_PER_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _enter() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die = dying_with_parent(signal.SIGKILL)
    if die:
        die()
