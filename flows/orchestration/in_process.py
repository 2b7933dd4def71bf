"""Flows as the command line runs them: in this process, with an embedded Prefect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.options import Options
from flows.orchestration.descriptions import OWN_PRESET
from flows.orchestration.flows import STAGE_FLOWS
from flows.orchestration.flows import pipeline as pipeline_flow


def pipeline(dataset: str, options: Options) -> None:
    """Run what `options` ask for."""
    first = options.only or options.start
    form = STAGE_FLOWS[first] if first else pipeline_flow
    form(dataset, **_form_values(options))


@contextmanager
def without_heartbeat() -> Iterator[None]:
    """Run the flows of the block so: nobody listens here, and ending the thread takes a second."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def _form_values(options: Options) -> dict[str, Any]:
    """What one would enter into the form to get these options."""
    which = {"and_after": options.start is not None} if options.only or options.start else {}
    return which | {
        "preset": options.preset or OWN_PRESET,
        "budget": options.budget or "",
        "overrides": options.overrides,
        "force": options.force,
        "allow_stale": options.allow_stale,
    }
