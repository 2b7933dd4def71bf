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
QUIET = (
    *("Completed", "Failed", "Cancelled", "Crashed"),
    *("AwaitingConcurrencySlot", "AwaitingRetry", "Paused", "Suspended"),
)
"""States without heartbeats: the end, and those that wait without a process."""


def silent_runs_have_crashed() -> AutomationCore:
    """Set a run to Crashed if neither another heartbeat nor a state without any follows in time."""
    beat = "prefect.flow-run.heartbeat"
    return AutomationCore(
        name=NAME,
        description="A run that is killed together with its runner leaves no other trace.",
        trigger=EventTrigger(
            after={beat},
            expect={beat, *(f"prefect.flow-run.{name}" for name in QUIET)},
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
    """Create the automation, or renew its trigger: whether it is enabled is the user's choice."""
    wanted = silent_runs_have_crashed()
    async with get_client() as client:
        existing = await client.read_automations_by_name(NAME)
        if not existing:
            await client.create_automation(wanted)
        elif _expected(existing[0]) < _expected(wanted):
            kept = {"enabled": existing[0].enabled, "actions": existing[0].actions}
            await client.update_automation(existing[0].id, wanted.model_copy(update=kept))


def _expected(automation: AutomationCore) -> set[str]:
    trigger = automation.trigger
    return set(trigger.expect) if isinstance(trigger, EventTrigger) else set()
