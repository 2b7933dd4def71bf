"""Task runners: threads of this process, Dask or Ray.

Building one corpus already uses all CPUs of a machine, so threads suffice on one machine. Dask and
Ray are for an existing cluster; they are extras, and are imported only when chosen.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from flows.errors import OptionError

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

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
