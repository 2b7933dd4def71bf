"""Whether a report says that a dataset's model got better or worse, and how that is told.

In the log, as a tag of the run (a badge in the list of runs; a state of another name than
Prefect's own would hide the run from that list), and as an event `charmill.report.<news>` that an
automation in Prefect's UI can send wherever the user wants.
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
News = Literal["first", "better", "worse", "unchanged"]
TAGGED: tuple[News, ...] = ("better", "worse")


def news_of(report: Mapping[str, Any]) -> News:
    """Compare a report with the one before it, by the model's bits on files both runs scored.

    A difference whose 95 % interval holds 0 is no news.

    Args:
        report: as `report.json` has it.
    """
    change = report.get("change")
    if not change:
        return "first"
    bits = next((c for c in change["changes"] if c["unit"] == "bits"), None)
    if not bits or not bits["interval"]:
        return "unchanged"
    low, high = bits["interval"]
    return "worse" if low > 0 else "better" if high < 0 else "unchanged"


def tell(dataset: str, folder: Path) -> News:
    """Read a report's news, log it, and emit it where an automation may listen."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    news, verdict = news_of(report), report["verdict"]
    logger.log(
        logging.WARNING if news == "worse" else logging.INFO, "%s: %s: %s", dataset, news, verdict
    )
    if deployment.get_id() is not None:
        emit_event(
            event=f"charmill.report.{news}",
            resource={
                "prefect.resource.id": f"charmill.dataset.{dataset}",
                "prefect.resource.name": dataset,
            },
            payload={"verdict": verdict, "report": str(folder / "report.html")},
        )
    return news


def closing_state(news: News, key: str) -> State[str]:
    """The final state of the run that wrote a report; tags the run."""
    context = FlowRunContext.get()
    if news in TAGGED and context and context.flow_run:
        tags = [*context.flow_run.tags, news]
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, tags=tags)
    return Completed(message=f"report {key}: {news}", data=key)
