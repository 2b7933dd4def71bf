"""Whether a dataset's model got better or worse, and how the user is notified.

By a log line, by a tag of the run (a badge in the list of runs; a state with a custom name would
hide the run from that list), and by an event `charmill.report.<outcome>`, which an automation in
Prefect's UI can forward.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.runtime import deployment
from prefect.states import Completed

logger = logging.getLogger(__name__)
Outcome = Literal["first", "better", "worse", "unchanged"]
TAGGED: tuple[Outcome, ...] = ("better", "worse")


def outcome_of(report: Mapping[str, Any]) -> Outcome:
    """Compare a report with the previous one, by the model's bits on files that both runs scored.

    A difference whose 95 % interval contains 0 counts as unchanged.

    Args:
        report: the content of `report.json`.
    """
    change = report.get("change")
    if not change:
        return "first"
    bits = next((c for c in change["changes"] if c["unit"] == "bits"), None)
    if not bits or not bits["interval"]:
        return "unchanged"
    low, high = bits["interval"]
    return "worse" if low > 0 else "better" if high < 0 else "unchanged"


def announce(dataset: str, folder: Path) -> Outcome:
    """Log the outcome of a report, and emit its event for automations."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    outcome, verdict = outcome_of(report), report["verdict"]
    logger.log(
        logging.WARNING if outcome == "worse" else logging.INFO,
        "%s: %s: %s",
        *(dataset, outcome, verdict),
    )
    if deployment.get_id() is not None:
        emit_event(
            event=f"charmill.report.{outcome}",
            resource={
                "prefect.resource.id": f"charmill.dataset.{dataset}",
                "prefect.resource.name": dataset,
            },
            payload={"verdict": verdict, "report": str(folder / "report.html")},
        )
    return outcome


def closing_state(outcome: Outcome, key: str) -> State[str]:
    """Tag the run that wrote a report, and return its final state."""
    context = FlowRunContext.get()
    if outcome in TAGGED and context and context.flow_run:
        tags = [*context.flow_run.tags, outcome]
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, tags=tags)
    return Completed(message=f"report {key}: {outcome}", data=key)
