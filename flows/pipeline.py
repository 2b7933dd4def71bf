"""The pipeline as the command line runs it: in this process, with an embedded Prefect."""

from typing import Any

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)

from flows.forms import OWN_PRESET, STAGE_FLOWS
from flows.forms import pipeline as pipeline_flow
from flows.layout import Layout
from flows.run import Options
from flows.server import start_embedded_server
from flows.settings import Settings


def pipeline(dataset: str, options: Options) -> None:
    """Run what `options` ask for.

    The heartbeat is off: nobody listens to it here, and ending its thread takes a second.
    """
    first = options.only or options.start
    form = STAGE_FLOWS[first] if first else pipeline_flow
    home = Layout(Settings().artifacts_root).prefect_home
    start_embedded_server(home, PREFECT_API_URL.value())
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        form(dataset, **_form_values(options))


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
