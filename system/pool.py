"""Run many tasks in a few workers, and yield the results in the order of the tasks.

Few tasks are queued at a time, so memory does not grow with their number. The workers end with this
process, however it ends. If one is killed, what it was doing is done again.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from system.processes import dying_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
Handle = TypeVar("Handle")
QUEUED_PER_WORKER = 2
ATTEMPTS = 4
"""How often a task is given to a worker that is killed before it gives up."""


class Pool(Protocol):
    """Workers, wherever they are."""

    @property
    def size(self) -> int:
        """How many tasks can run at once."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether the workers have been started, so that using them costs no more."""
        ...

    def in_order(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield `function(task)` for every task, in order; all three must be picklable."""
        ...


class ProcessPool(AbstractContextManager["ProcessPool"]):
    """Processes on this machine, started when they are first needed; one is this process."""

    def __init__(self, workers: int) -> None:
        self.size = workers
        self._executor: ProcessPoolExecutor | None = None

    @property
    def is_running(self) -> bool:
        """Whether there are processes already."""
        return self._executor is not None

    def in_order(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the results in order.

        Raises:
            BrokenProcessPool: if the workers are killed again and again, such as for their memory.
        """
        if self.size == 1:
            yield from map(function, tasks)
            return
        queued: deque[tuple[Task, Future[Result]]] = deque()
        for task in tasks:
            queued.append((task, self._submit(function, task)))
            if len(queued) >= self.size * QUEUED_PER_WORKER:
                yield self._first(function, queued)
        while queued:
            yield self._first(function, queued)

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(
                self.size, mp_context=context, initializer=_initialise
            )
        try:
            return self._executor.submit(function, task)
        except BrokenProcessPool as error:
            broken: Future[Result] = Future()
            broken.set_exception(error)
            return broken

    def _first(
        self, function: Callable[[Task], Result], queued: deque[tuple[Task, Future[Result]]]
    ) -> Result:
        """The result of the first task in the queue; starts new workers if some were killed."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                result = queued[0][1].result()
            except BrokenProcessPool:
                if attempt == ATTEMPTS:
                    raise
                self.__exit__()
                again = [
                    (task, self._submit(function, task) if _is_lost(future) else future)
                    for task, future in queued
                ]
                queued.clear()
                queued.extend(again)
            else:
                queued.popleft()
                return result
        raise AssertionError


def _is_lost(future: Future[Result]) -> bool:
    return future.cancelled() or isinstance(future.exception(), BrokenProcessPool)


class ThreadPool:
    """Threads of this process, for tasks that wait for other programs."""

    is_running = True

    def __init__(self, workers: int) -> None:
        self.size = workers

    def in_order(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the results in order."""
        with ThreadPoolExecutor(self.size) as executor:
            yield from results(
                tasks,
                lambda task: executor.submit(function, task),
                lambda future: future.result(),
                window=self.size * QUEUED_PER_WORKER,
            )


def results(
    tasks: Iterable[Task],
    submit: Callable[[Task], Handle],
    result: Callable[[Handle], Result],
    *,
    window: int,
) -> Iterator[Result]:
    """Submit tasks, `window` of them ahead, and yield their results in order."""
    queued: deque[Handle] = deque()
    for task in tasks:
        queued.append(submit(task))
        if len(queued) >= window:
            yield result(queued.popleft())
    while queued:
        yield result(queued.popleft())


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int
) -> Iterator[Result]:
    """Yield `function(task)` for every task, in order; with one worker, run in this process."""
    with ProcessPool(workers) as pool:
        yield from pool.in_order(function, tasks)


def processors() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _initialise() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die = dying_with_parent(signal.SIGKILL)
    if die:
        die()
