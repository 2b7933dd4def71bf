"""Build the corpora of many datasets in parallel, with one task per dataset.

A dataset that fails does not stop the others. Workers receive names and options only and return
nothing; their results are read from the artifacts root.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow, task
from prefect.runtime import flow_run
from pydantic import Field

from flows.errors import StageError
from flows.options import Options, StageName
from flows.orchestration.forms import with_help
from flows.orchestration.reporter import RunReporter
from flows.orchestration.task_runners import RunnerName, running
from flows.orchestration.tasks import (
    PERSISTENT,
    carry_out,
    entered,
    make_stage,
    plan_stages,
    share,
    show_our_logs,
)
from flows.progress import LogReporter, current_reporter, reporting
from flows.store.runs import Store
from flows.store.status import failures
from system.pool import processors
from system.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.task_runners import TaskRunner

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
    "workers": "Datasets to build in parallel (0: one per CPU). A cluster uses its own number.",
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
    in_parallel = min(workers or processors(), len(names))
    with entered(store):
        with running(runner, workers=in_parallel, cluster=cluster) as started:
            failed = _build_all(names, options, store, started)
        if failed:
            raise StageError(f"{len(failed)} of {len(names)} not built: {', '.join(failed)}")


def _build_all(
    names: Sequence[str], options: Options, store: Store, runner: "TaskRunner[Any]"
) -> list[str]:
    """Build the corpora, report each outcome, and return the names of those that failed."""
    reporter = current_reporter() or LogReporter()
    failed = []
    asked = [{"dataset": name, "options": options} for name in names]
    futures = [runner.submit(build_task, parameters) for parameters in asked]
    for name, future in zip(names, futures, strict=True):
        future.wait()
        state = future.state
        reporter.say(_outcome(name, state, store))
        if not state.is_completed():
            failed.append(name)
    return failed


def build(dataset: str, options: Options) -> None:
    """Bring the source of a dataset and its corpus up to date; runs in a worker."""
    show_our_logs()
    store = Store(Settings().artifacts_root)
    with reporting(RunReporter(dataset)):
        for stage in STAGES_TO_CORPUS:
            asked = options.model_copy(update={"only": stage})
            share(dataset, asked)
            carry_out(plan_stages(dataset, asked), asked, store, make_stage)


build_task = task(name="build", task_run_name="build {dataset}", **PERSISTENT)(build)


def _outcome(dataset: str, state: "State", store: Store) -> str:
    """The outcome of a dataset in one line."""
    if not state.is_completed():
        recorded = failures(store, dataset)
        reason = recorded[-1].reason if recorded else f"{state.name}: {state.message}"
        return f"corpus of {dataset}: FAILED: {reason}"
    manifest = store.runs("corpus", dataset).last().manifest
    documents = sum(split["documents"] for split in manifest.summary["splits"].values())
    return f"corpus of {dataset}: {documents:,} documents"
