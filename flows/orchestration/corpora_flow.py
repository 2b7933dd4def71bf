"""Build the corpora of many datasets in parallel.

A dataset of one repository, folder or collection is one task. One of several repositories is
divided: its stages run in this process, and their parts, a repository or some megabytes of text
each, are tasks. A dataset that fails does not stop the others. Workers share the artifacts root.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow, task
from prefect.runtime import flow_run
from pydantic import Field

from flows.errors import StageError
from flows.options import Options, StageName, prepare
from flows.orchestration.forms import with_help
from flows.orchestration.reporter import RunReporter
from flows.orchestration.task_runners import RunnerName, running, shared_workers
from flows.orchestration.tasks import (
    PERSISTENT,
    carry_out,
    entered,
    make_stage,
    plan_stages,
    share,
    show_our_logs,
)
from flows.progress import LogReporter, Reporter, current_reporter, reporting
from flows.store.runs import Store
from flows.store.status import failures
from system.pool import Pool, processors
from system.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.task_runners import TaskRunner
    from prefect.tasks import Task

STAGES_TO_CORPUS: tuple[StageName, ...] = ("fetch", "corpus")
MAX_NAMED = 3


def run_name() -> str:
    """Name of a flow run: its first datasets."""
    names = flow_run.get_parameters()["datasets"]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"corpora of {', '.join(names[:MAX_NAMED])}{more}"


DEFAULT = Options()
HELP = {
    "datasets": "Names of the datasets.",
    "runner": "Threads on this machine; dask or ray for a cluster, or for local processes.",
    "workers": "Datasets, or repositories of one dataset, to work on in parallel (0: one per CPU). "
    "A cluster uses its own number.",
    "cluster": "Address of a running Dask scheduler or Ray cluster (empty: none).",
}


@flow(name="corpora", flow_run_name=run_name)
@with_help(**HELP)
def corpora(
    datasets: Annotated[list[str], Field(min_length=1)],
    runner: RunnerName = "threads",
    workers: Annotated[int, Field(ge=0)] = 0,
    cluster: str = "",
    overrides: tuple[str, ...] = DEFAULT.overrides,
    force: bool = DEFAULT.force,
    allow_stale: bool = DEFAULT.allow_stale,
) -> None:
    """Fetch many datasets and build their corpora in parallel; a failure affects no other."""
    store = Store(Settings().artifacts_root)
    options = Options(overrides=overrides, force=force, allow_stale=allow_stale)
    names = list(dict.fromkeys(datasets))
    divided = [name for name in names if _is_divisible(name, options)]
    in_parallel = workers or processors()
    alone = current_reporter() if len(names) == 1 else None
    with entered(store), running("threads", workers=max(len(divided), 1)) as here:
        whole = in_parallel if divided else min(in_parallel, len(names))
        with (
            running(runner, workers=whole, cluster=cluster) as started,
            shared_workers(runner, started, in_parallel) as pool,
        ):
            tasks = {
                name: (here, divided_task(pool, alone))
                if name in divided
                else (started, build_task)
                for name in names
            }
            failed = _build_all(tasks, options, store)
        if failed:
            raise StageError(f"{len(failed)} of {len(names)} not built: {', '.join(failed)}")


def _is_divisible(name: str, options: Options) -> bool:
    return prepare(name, options, Settings().dataset_folders).spec.source.is_divisible


def _build_all(
    tasks: "Mapping[str, tuple[TaskRunner[Any], Task[Any, None]]]", options: Options, store: Store
) -> list[str]:
    """Build the corpora, report each outcome, and return the names of those that failed."""
    reporter = current_reporter() or LogReporter()
    failed = []
    futures = {
        name: runner.submit(chosen, {"dataset": name, "options": options})
        for name, (runner, chosen) in tasks.items()
    }
    for name, future in futures.items():
        future.wait()
        state = future.state
        reporter.say(_outcome(name, state, store))
        if not state.is_completed():
            failed.append(name)
    return failed


def build(
    dataset: str, options: Options, workers: Pool | None = None, reporter: Reporter | None = None
) -> None:
    """Bring the source of a dataset and its corpus up to date.

    Args:
        workers: for the parts of the dataset; None if it is built in one worker.
        reporter: shows the progress; None for Prefect's UI and log.
    """
    show_our_logs()
    store = Store(Settings().artifacts_root)
    with reporting(reporter or RunReporter(dataset)):
        for stage in STAGES_TO_CORPUS:
            asked = options.model_copy(update={"only": stage})
            share(dataset, asked)
            make = partial(make_stage, workers=workers)
            carry_out(plan_stages(dataset, asked), asked, store, make)


def _build_whole(dataset: str, options: Options) -> None:
    """Build a dataset in one worker."""
    build(dataset, options)


def divided_task(workers: Pool, reporter: Reporter | None) -> "Task[Any, None]":
    """The task that builds a dataset in this process, its parts in the workers."""

    def build_divided(dataset: str, options: Options) -> None:
        build(dataset, options, workers, reporter)

    return task(name="build", task_run_name="build {dataset}", **PERSISTENT)(build_divided)


build_task = task(name="build", task_run_name="build {dataset}", **PERSISTENT)(_build_whole)


def _outcome(dataset: str, state: "State", store: Store) -> str:
    """The outcome of a dataset in one line."""
    if not state.is_completed():
        recorded = failures(store, dataset)
        reason = recorded[-1].reason if recorded else f"{state.name}: {state.message}"
        return f"corpus of {dataset}: FAILED: {reason}"
    manifest = store.runs("corpus", dataset).last().manifest
    documents = sum(split["documents"] for split in manifest.summary["splits"].values())
    return f"corpus of {dataset}: {documents:,} documents"
