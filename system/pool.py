"""Run many tasks in a few processes, and yield the results in the order of the tasks.

Few tasks are queued at a time, so memory does not grow with their number. The workers end with this
process, however it ends.
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
QUEUED_PER_WORKER = 2


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int
) -> Iterator[Result]:
    """Yield `function(task)` for every task, in order; with one worker, run in this process."""
    if workers == 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    queued: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_initialise) as pool:
        for task in tasks:
            queued.append(pool.submit(function, task))
            if len(queued) >= workers * QUEUED_PER_WORKER:
                yield queued.popleft().result()
        while queued:
            yield queued.popleft().result()


def processors() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _initialise() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die = dying_with_parent(signal.SIGKILL)
    if die:
        die()
