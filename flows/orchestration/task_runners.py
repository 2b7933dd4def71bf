"""Task runners: threads of this process, Dask or Ray.

Building one corpus already uses all CPUs of a machine, so threads suffice on one machine. Dask and
Ray are for an existing cluster; they are extras, and are imported only when chosen.

The parts of one dataset are tasks of the engine itself, not of Prefect: there may be thousands, and
Prefect's database stalls at that. Both engines give the task of a killed worker to another one.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flows.errors import OptionError, StageError
from system.pool import ATTEMPTS, QUEUED_PER_WORKER, Pool, ProcessPool, results

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

Task = TypeVar("Task")
Result = TypeVar("Result")
RunnerName = Literal["threads", "dask", "ray"]
PACKAGES: dict[RunnerName, str] = {"dask": "prefect_dask", "ray": "prefect_ray"}


def check_runner(name: RunnerName, cluster: str = "") -> None:
    """Refuse a runner that is not installed, or threads on a cluster.

    Raises:
        OptionError: says what to install or to choose.
    """
    package = PACKAGES.get(name)
    if package and find_spec(package) is None:
        raise OptionError(
            f"runner {name}: needs {package}; install it with `pip install 'charmill[{name}]'`"
        )
    if cluster and not package:
        raise OptionError(f"cluster {cluster}: needs the runner {' or '.join(PACKAGES)}")


@contextmanager
def running(name: RunnerName, *, workers: int, cluster: str = "") -> "Iterator[TaskRunner[Any]]":
    """Provide a task runner while the block runs.

    Args:
        workers: tasks to run in parallel; a cluster uses its own number.
        cluster: address of a Dask scheduler or a Ray cluster; if empty, processes on this machine.

    Raises:
        OptionError: as `check_runner`, or if the cluster does not answer.
    """
    check_runner(name, cluster)
    with ExitStack() as stack:
        try:
            runner = stack.enter_context(task_runner(name, workers, cluster))
            getattr(runner, "client", None)  # Dask connects when its client is accessed
        except OSError as error:
            raise OptionError(f"runner {name} {cluster}: {error}") from error
        yield runner


def task_runner(name: RunnerName, workers: int, cluster: str = "") -> "TaskRunner[Any]":
    """Create a runner without starting it."""
    if name == "dask":
        return _dask(workers, cluster)
    if name == "ray":
        return _ray(workers, cluster)
    from prefect.task_runners import ThreadPoolTaskRunner

    return ThreadPoolTaskRunner(max_workers=workers)


def _dask(workers: int, cluster: str) -> "TaskRunner[Any]":
    runner = import_module("prefect_dask").DaskTaskRunner
    if cluster:
        return runner(address=cluster)
    # Daemonic workers may not start the processes that build a large corpus.
    import_module("dask").config.set({"distributed.worker.daemon": False})
    return runner(
        cluster_kwargs={
            "n_workers": workers,
            "threads_per_worker": 1,
            "dashboard_address": None,
            # Dask would kill a worker above its share; the stages limit their own memory.
            "memory_limit": 0,
        }
    )


def _ray(workers: int, cluster: str) -> "TaskRunner[Any]":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    runner = import_module("prefect_ray").RayTaskRunner
    if cluster:
        return runner(address=cluster)
    return runner(
        init_kwargs={
            "num_cpus": workers,
            "include_dashboard": False,
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
    )


@contextmanager
def shared_workers(name: RunnerName, runner: "TaskRunner[Any]", workers: int) -> Iterator[Pool]:
    """The workers of a started runner, for the parts of datasets.

    Args:
        workers: processes to use on this machine where the runner has threads only.
    """
    if name == "dask":
        yield DaskPool(runner.client)  # pyright: ignore[reportAttributeAccessIssue]
    elif name == "ray":
        yield RayPool()
    else:
        with ProcessPool(workers) as pool:
            yield pool


class DaskPool:
    """The workers of a Dask cluster."""

    is_running = True

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def size(self) -> int:
        """The threads of all workers."""
        return max(sum(self._client.nthreads().values()), 1)

    def in_order(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the results in order.

        Raises:
            StageError: if worker after worker is killed over the same task.
        """
        lost = import_module("distributed.scheduler").KilledWorker
        try:
            yield from results(
                tasks,
                lambda task: self._client.submit(function, task, pure=False),
                lambda future: future.result(),
                window=QUEUED_PER_WORKER * self.size,
            )
        except lost as error:
            raise StageError(
                f"every worker that was given one of the parts died: {error}"
            ) from None


class RayPool:
    """The workers of a Ray cluster."""

    is_running = True

    @property
    def size(self) -> int:
        """The processors of the cluster."""
        return max(int(import_module("ray").cluster_resources().get("CPU", 1)), 1)

    def in_order(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield the results in order.

        Raises:
            StageError: if worker after worker is killed over the same task.
        """
        ray = import_module("ray")
        call = ray.remote(max_retries=ATTEMPTS - 1)(_call)
        try:
            yield from results(
                tasks,
                lambda task: call.remote(function, task),
                ray.get,
                window=QUEUED_PER_WORKER * self.size,
            )
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None  # Ray's own message is a traceback of many lines
        except ray.exceptions.WorkerCrashedError as error:
            raise StageError(
                f"every worker that was given one of the parts died: {error}"
            ) from None


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    return function(task)
