"""Starting the pipeline of a dataset as a run, and saying in one line what became of it."""

from collections.abc import Iterable, Sequence
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from corpora.spec import dataset_files
from flows.orchestration.descriptions import PIPELINE
from flows.orchestration.waiting.turn import JOINED
from flows.reporting.index import index_row
from flows.store.runs import Store
from flows.store.status import failures
from system.settings import Settings


def chosen(datasets: Sequence[str]) -> list[str]:
    """The datasets that are named, each once; all if there are none."""
    return list(dict.fromkeys(datasets)) or list(dataset_files(Settings().dataset_folders))


def start_pipeline(dataset: str, key: str | None = None, **options: Any) -> FlowRun | None:
    """Start the pipeline of a dataset; None if it is not deployed.

    Args:
        key: of the run; if there is one with this key, it is returned instead.
    """
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"{PIPELINE}/{dataset}")
        except ObjectNotFound:
            return None
        return client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"dataset": dataset, **options},
            state=Scheduled(),
            name=f"{PIPELINE} {dataset}",
            idempotency_key=key,
        )


def outcome(dataset: str, run: FlowRun | None, store: Store) -> str:
    """The verdict of a run that has ended well; otherwise the reason, or what it is doing."""
    if run is None or run.state is None:
        return f"there is no deployment {PIPELINE}/{dataset}; is its TOML valid?"
    state = run.state
    if state.is_completed():
        return index_row(store, dataset).verdict or "done"
    if state.is_failed() and (recorded := failures(store, dataset)):
        return recorded[-1].summary
    return f"{state.name}: {state.message}" if state.message else str(state.name)


def has_failed(run: FlowRun | None) -> bool:
    """Whether a run has ended without result; one that was joined to another has not."""
    if run is None or run.state is None:
        return True
    state = run.state
    joined = (state.message or "").startswith(JOINED)
    return state.is_final() and not state.is_completed() and not joined


def have_ended(runs: Iterable[FlowRun | None]) -> bool:
    """Whether no run is left to wait for."""
    return all(run is None or run.state is None or run.state.is_final() for run in runs)
