"""The pipelines of all datasets, as a run each; a failure stops no other.

While its runs wait or work, this run is a row without a process. It is started again when the last
of them has ended, and writes the table.
"""

from prefect import flow

from flows.errors import StageError
from flows.options import Options
from flows.orchestration.forms import with_help
from flows.orchestration.sweeps.starting import (
    chosen,
    has_failed,
    have_ended,
    outcome,
    start_pipeline,
)
from flows.orchestration.tasks import prepared
from flows.orchestration.waiting.turn import child_key, give_back, this_run
from flows.reporting.artifacts import publish_sweep
from flows.store.runs import Store
from system.settings import Settings

PIPELINES_SUMMARY = "Run the pipelines of all datasets, each as a run; a failure stops no other."
DEFAULT = Options()


@flow(name="pipelines", description=PIPELINES_SUMMARY)
@with_help(datasets="Names of the datasets (none: all).")
def pipelines(
    datasets: tuple[str, ...] = (),
    preset: str = DEFAULT.preset,
    budget: str = DEFAULT.budget,
    overrides: tuple[str, ...] = DEFAULT.overrides,
    force: bool = DEFAULT.force,
    allow_stale: bool = DEFAULT.allow_stale,
) -> None:
    """Run the pipelines of many datasets, and show one line for each."""
    options = {
        "preset": preset,
        "budget": budget,
        "overrides": list(overrides),
        "force": force,
        "allow_stale": allow_stale,
    }
    with prepared():
        store, own = Store(Settings().artifacts_root), this_run().id
        runs = {
            name: start_pipeline(name, child_key(own, name), **options) for name in chosen(datasets)
        }
        rows = [
            (name, outcome(name, run, store), run.id if run else None) for name, run in runs.items()
        ]
        publish_sweep("pipelines", "The pipelines", rows)
        if not have_ended(runs.values()):
            give_back("waiting for the runs that it started")
        if failed := [name for name, run in runs.items() if has_failed(run)]:
            raise StageError(f"{len(failed)} of {len(runs)} without result: {', '.join(failed)}")
