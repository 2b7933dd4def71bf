"""The Prefect flows: forms for the pipeline, every stage and gc, and how the CLI calls them.

A flow plans, shows the plan, and runs what is not current (`tasks.py`). The parameters of a form
are the fields of `Options`, with their defaults and help texts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from prefect import Flow, flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from corpora.spec import dataset_files
from flows.options import OWN_PRESET, STAGE_NAMES, Options, StageName
from flows.orchestration.descriptions import PIPELINE, PIPELINE_SUMMARY, SUMMARIES
from flows.orchestration.forms import with_help
from flows.orchestration.tasks import entered, follow, prepared, what_if_task
from flows.reporting.artifacts import publish_removed
from flows.reporting.history import delete_old_runs
from flows.retention.collect import collect
from flows.retention.limits import Limits
from flows.store.runs import Store
from system.display import shown
from system.settings import Settings

DEFAULT = Options()
HELP = {
    "dataset": "Name of the dataset.",
    "and_after": "Continue with every stage after this one, to the report.",
    "plan_only": "Only write the plan artifact: what would be done, and why.",
}


def run_name() -> str:
    """Name a flow run after what it does, its dataset, and what is special about it."""
    parameters: dict[str, Any] = flow_run.get_parameters()
    special = [
        "" if parameters["preset"] == OWN_PRESET else parameters["preset"],
        parameters["budget"],
        *parameters["overrides"],
        "and after" if parameters.get("and_after") else "",
        "forced" if parameters["force"] else "",
        "plan only" if parameters["plan_only"] else "",
    ]
    words = shown(", ".join(filter(None, special)))
    return f"{flow_run.get_flow_name()} {parameters['dataset']}" + (f": {words}" if words else "")


@flow(name=PIPELINE, description=PIPELINE_SUMMARY, flow_run_name=run_name)
@with_help(**HELP)
def pipeline(
    dataset: str,
    preset: str = DEFAULT.preset,
    budget: str = DEFAULT.budget,
    overrides: tuple[str, ...] = DEFAULT.overrides,
    force: bool = DEFAULT.force,
    plan_only: bool = False,
    allow_stale: bool = DEFAULT.allow_stale,
) -> Any:
    """Run every stage that is not current."""
    options = Options(
        preset=preset,
        budget=budget,
        overrides=overrides,
        force=force,
        allow_stale=allow_stale,
    )
    return follow(dataset, options, plan_only=plan_only)


def _stage_flow(name: StageName) -> Flow:
    @flow(name=name, description=SUMMARIES[name], flow_run_name=run_name)
    @with_help(**HELP)
    def run_stage(
        dataset: str,
        preset: str = DEFAULT.preset,
        budget: str = DEFAULT.budget,
        overrides: tuple[str, ...] = DEFAULT.overrides,
        and_after: bool = False,
        force: bool = DEFAULT.force,
        plan_only: bool = False,
        allow_stale: bool = DEFAULT.allow_stale,
    ) -> Any:
        """Run one stage, or that stage and all later ones."""
        options = Options(
            preset=preset,
            budget=budget,
            overrides=overrides,
            start=name if and_after else None,
            only=None if and_after else name,
            force=force,
            allow_stale=allow_stale,
        )
        return follow(dataset, options, plan_only=plan_only)

    return run_stage


# Prefect finds a flow by the name it has in this module.
fetch, corpus, train, sample, evaluate = map(_stage_flow, STAGE_NAMES)
STAGE_FLOWS = dict(zip(STAGE_NAMES, (fetch, corpus, train, sample, evaluate), strict=True))


def _what_if_name() -> str:
    parameters: dict[str, Any] = flow_run.get_parameters()
    words = shown(", ".join([*parameters["changes"], *parameters["overrides"]]))
    return f"what-if {parameters['dataset']}" + (f": {words}" if words else "")


@flow(
    name="what-if",
    description="Show what each filter of a corpus drops, and what changes of them would do; "
    "build nothing.",
    flow_run_name=_what_if_name,
)
@with_help(
    dataset="Name of the dataset, which must have been fetched.",
    changes="Settings of the corpus, each as text.max_line=200, compared one by one with now.",
)
def what_if(
    dataset: str,
    changes: tuple[str, ...] = (),
    overrides: tuple[str, ...] = DEFAULT.overrides,
) -> None:
    """Judge the files of the last fetch, and write the artifact."""
    with prepared():
        what_if_task(dataset, Options(overrides=overrides), changes)


LIMITS = Limits()
GC_SUMMARY = "Remove old runs that nothing needs, and old entries of the history."


@flow(name="gc", description=GC_SUMMARY)
@with_help(
    datasets="Names of the datasets (none: all).",
    **{name: Limits.help(name) for name in Limits.model_fields},
)
def gc(
    datasets: tuple[str, ...] = (),
    keep_last: int = LIMITS.keep_last,
    older_than: str = LIMITS.older_than,
    max_size: str = LIMITS.max_size,
    history: str = LIMITS.history,
) -> None:
    """Remove old runs that nothing needs, and old entries of the history."""
    from flows.pages.files import renew_pages

    settings = Settings()
    store, now = Store(settings.artifacts_root), datetime.now(UTC)
    limits = Limits(keep_last=keep_last, older_than=older_than, max_size=max_size, history=history)
    before = now - limits.history_age
    tomls = dataset_files(settings.dataset_folders)
    with entered(store):
        outcome = collect(store, limits, now, tomls=tomls, datasets=datasets)
        renew_pages(store, {one.run.runs.dataset for one in outcome.removed})
        old = 0 if datasets else delete_old_runs(store, before)
        publish_removed(outcome, old)


def run_in_process(dataset: str, options: Options) -> None:
    """Run the flow that `options` ask for in this process."""
    first = options.only or options.start
    chosen = STAGE_FLOWS[first] if first else pipeline
    extent = {"and_after": options.only is None} if first else {}
    chosen(dataset, **extent, **options.model_dump(exclude={"start", "only"}))


@contextmanager
def without_heartbeat() -> Iterator[None]:
    """Run flows in this process without heartbeats: stopping their thread takes a second."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
