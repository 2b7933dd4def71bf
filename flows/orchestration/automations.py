"""Automations that keep the list of runs true.

A run whose process and runner were both killed would stay Running for ever: nobody is left who
could say otherwise. The server hears no heartbeat of it, and sets it to Crashed.
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
    """Set a run to Crashed if neither a heartbeat nor its end follows a heartbeat in time."""
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
    """Make ours, unless they are there: a user may have changed or switched them off."""
    async with get_client() as client:
        if not await client.read_automations_by_name(NAME):
            await client.create_automation(silent_runs_have_crashed())
