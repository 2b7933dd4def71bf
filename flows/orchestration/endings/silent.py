"""An automation that marks dead runs as crashed.

A run whose process and runner were both killed would stay Running forever, because no process is
left to report its end. The server notices that its heartbeats stop, and sets it to Crashed.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState

from flows.server.prefect_settings import HEARTBEAT_SECONDS

NAME = "charmill: silent runs have crashed"
FINAL = ("Completed", "Failed", "Cancelled", "Crashed")


def silent_runs_have_crashed() -> AutomationCore:
    """Set a run to Crashed if neither another heartbeat nor its end follows in time."""
    beat = "prefect.flow-run.heartbeat"
    return AutomationCore(
        name=NAME,
        description="A run that is killed together with its runner leaves no other trace.",
        trigger=EventTrigger(
            after={beat},
            expect={beat, *(f"prefect.flow-run.{name}" for name in FINAL)},
            match={"prefect.resource.id": "prefect.flow-run.*"},  # pyright: ignore[reportArgumentType]
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * HEARTBEAT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message="No heartbeat: the process is gone.",
                force=False,
            )
        ],
    )


async def ensure_automations() -> None:
    """Create the automation unless it exists: the user may have changed or disabled it."""
    async with get_client() as client:
        if not await client.read_automations_by_name(NAME):
            await client.create_automation(silent_runs_have_crashed())
