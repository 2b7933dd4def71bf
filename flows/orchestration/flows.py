"""The Prefect flows: a form for the pipeline and one for every stage.

Each makes its plan, shows it, and runs what is not current (`following.py`).
"""

from typing import Any

from prefect import Flow, flow
from prefect.runtime import flow_run

from flows.options import STAGE_NAMES, Options, StageName
from flows.orchestration.descriptions import OWN_PRESET, PIPELINE_SUMMARY, SUMMARIES
from flows.orchestration.tasks import follow

ARGS = """
Args:
    dataset: what to work on.
    preset: size and recipe of the training.
    budget: how long to train, as 90s, 3m, 2h, 2Mchars or 3epochs; empty, as the preset says.
    overrides: settings to change for this run, each as train.learning_rate=0.004 or
        corpus.max_bytes=50000.
    force: run again even what is current; what was made before is kept.
    plan_only: say what would be done, and why, in the plan artifact; do nothing.
    allow_stale: where the source cannot be reached, take what was fetched last.
"""
AND_AFTER = "    and_after: go on with every stage after this one, to the report.\n"


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
    def run(
        dataset: str,
        preset: str = OWN_PRESET,
        budget: str = "",
        overrides: tuple[str, ...] = (),
        force: bool = False,
        plan_only: bool = False,
        allow_stale: bool = False,
    ) -> Any:
        options = _options(preset, budget, overrides, force=force, allow_stale=allow_stale)
        return follow(dataset, options, plan_only=plan_only)

    return _named(run, "pipeline", f"{PIPELINE_SUMMARY}\n{ARGS}")


def _stage_flow(name: StageName) -> Flow:
    def run(
        dataset: str,
        preset: str = OWN_PRESET,
        budget: str = "",
        overrides: tuple[str, ...] = (),
        and_after: bool = False,
        force: bool = False,
        plan_only: bool = False,
        allow_stale: bool = False,
    ) -> Any:
        options = _options(preset, budget, overrides, force=force, allow_stale=allow_stale)
        which = {"start": name} if and_after else {"only": name}
        return follow(dataset, options.model_copy(update=which), plan_only=plan_only)

    return _named(run, name, f"{SUMMARIES[name]}\n{ARGS}{AND_AFTER}")


def _options(
    preset: str, budget: str, overrides: tuple[str, ...], *, force: bool, allow_stale: bool
) -> Options:
    return Options(
        preset=None if preset == OWN_PRESET else preset,
        budget=budget or None,
        overrides=overrides,
        force=force,
        allow_stale=allow_stale,
    )


def _named(function: Any, name: str, description: str) -> Flow:
    """Make the flow of a form; Prefect reads its help out of the docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = description
    return flow(name=name, flow_run_name=run_name)(function)


# Prefect finds a flow by the name it has in this module.
fetch, corpus, train, sample, evaluate = map(_stage_flow, STAGE_NAMES)
pipeline = _pipeline_flow()
STAGE_FLOWS = dict(zip(STAGE_NAMES, (fetch, corpus, train, sample, evaluate), strict=True))
