"""The Prefect flows: a form for the pipeline and one for every stage, and how the CLI calls them.

A flow plans, shows the plan, and runs what is not current (`tasks.py`). The parameters of a form
are the fields of `Options`, with their defaults and help texts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Flow, flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import Field

from flows.options import OWN_PRESET, STAGE_NAMES, Options, StageName
from flows.orchestration.descriptions import PIPELINE, PIPELINE_SUMMARY, SUMMARIES
from flows.orchestration.tasks import follow

OPTION: Any = Options.model_fields
DATASET: Any = Field(description="Name of the dataset.")
PLAN_ONLY: Any = Field(
    default=False,
    description="Say what would be done, and why, in the plan artifact; do nothing.",
)
AND_AFTER: Any = Field(
    default=False, description="Continue with every stage after this one, to the report."
)


def run_name() -> str:
    """Name a flow run after what it does, its dataset, and what is special about it."""
    asked: dict[str, Any] = flow_run.get_parameters()
    special = [
        "" if asked["preset"] == OWN_PRESET else asked["preset"],
        asked["budget"],
        *asked["overrides"],
        "and after" if asked.get("and_after") else "",
        "forced" if asked["force"] else "",
        "plan only" if asked["plan_only"] else "",
    ]
    words = ", ".join(filter(None, special))
    return f"{flow_run.get_flow_name()} {asked['dataset']}" + (f": {words}" if words else "")


def _pipeline_flow() -> Flow:
    @flow(name=PIPELINE, description=PIPELINE_SUMMARY, flow_run_name=run_name)
    def run_all(
        dataset: str = DATASET,
        preset: str = OPTION["preset"],
        budget: str = OPTION["budget"],
        overrides: tuple[str, ...] = OPTION["overrides"],
        force: bool = OPTION["force"],
        plan_only: bool = PLAN_ONLY,
        allow_stale: bool = OPTION["allow_stale"],
    ) -> Any:
        options = Options(
            preset=preset,
            budget=budget,
            overrides=overrides,
            force=force,
            allow_stale=allow_stale,
        )
        return follow(dataset, options, plan_only=plan_only)

    return run_all


def _stage_flow(name: StageName) -> Flow:
    @flow(name=name, description=SUMMARIES[name], flow_run_name=run_name)
    def run_stage(
        dataset: str = DATASET,
        preset: str = OPTION["preset"],
        budget: str = OPTION["budget"],
        overrides: tuple[str, ...] = OPTION["overrides"],
        and_after: bool = AND_AFTER,
        force: bool = OPTION["force"],
        plan_only: bool = PLAN_ONLY,
        allow_stale: bool = OPTION["allow_stale"],
    ) -> Any:
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
pipeline = _pipeline_flow()
STAGE_FLOWS = dict(zip(STAGE_NAMES, (fetch, corpus, train, sample, evaluate), strict=True))


def run_in_process(dataset: str, options: Options) -> None:
    """Run the flow that `options` ask for in this process."""
    values = options.model_dump(exclude={"start", "only"})
    if first := options.only or options.start:
        STAGE_FLOWS[first](dataset, and_after=options.only is None, **values)
    else:
        pipeline(dataset, **values)


@contextmanager
def without_heartbeat() -> Iterator[None]:
    """Run flows in this process without heartbeats: ending their thread takes a second."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
