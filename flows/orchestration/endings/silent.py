"""Heartbeats of runs, and an automation that marks those without one as crashed.

A run whose process and runner were both killed would stay Running forever, because no process is
left to report its end. The server notices that its heartbeats stop, and sets it to Crashed.

The heartbeats are ours. Prefect sends the first one as a run starts, from a thread that opens a
connection of its own, so the server often evaluates it after the end of a short run. It then waits
for a second one, and takes the run for crashed. Ours begin after two seconds, and a run that ends
soon after one lets the server evaluate it first. They have another name, because Prefect's cannot
be switched off.
"""

import math
import threading
import time
from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import AutomationCore, EventTrigger, Posture, emit_event
from prefect.events.actions import ChangeFlowRunState
from prefect.events.worker import EventsWorker

from flows.server.prefect_settings import HEARTBEAT, HEARTBEAT_SECONDS

NAME = "charmill: silent runs have crashed"
OF_PREFECT = "prefect.flow-run.heartbeat"
DELETED = "charmill.flow-run.deleted"
FINAL = ("Completed", "Failed", "Cancelled", "Crashed")
WAITING = ("AwaitingConcurrencySlot", "AwaitingRetry", "Paused", "Suspended")
QUIET = tuple(f"prefect.flow-run.{name}" for name in FINAL + WAITING)
"""Events of states without heartbeats: the end, and those that wait without a process."""
SENDING_SECONDS = 5.0
"""How long a heartbeat may take to reach the server."""
SETTLING_SECONDS = 0.5
"""How long the server may take to evaluate it."""


class Heart:
    """Sends the heartbeats of a run, if asked often enough."""

    def __init__(self, run: FlowRun) -> None:
        self._run = run
        self._last = -math.inf

    def beat(self) -> None:
        """Send a heartbeat if one is due."""
        if time.monotonic() - self._last >= HEARTBEAT_SECONDS:
            self._emit(HEARTBEAT)
            self._last = time.monotonic()

    def stop(self) -> None:
        """Announce that no heartbeat will follow, and no end: the run was deleted or paused."""
        self._emit(DELETED)

    def settle(self) -> None:
        """Let the server evaluate a recent heartbeat, so that the end of the run comes after it."""
        if time.monotonic() - self._last < SENDING_SECONDS:
            empty = EventsWorker.instance().wait_until_empty
            sending = threading.Thread(target=empty, daemon=True)
            sending.start()
            sending.join(SENDING_SECONDS)
            time.sleep(SETTLING_SECONDS)

    def _emit(self, event: str) -> None:
        emit_event(
            event=event,
            resource={
                "prefect.resource.id": f"prefect.flow-run.{self._run.id}",
                "prefect.resource.name": self._run.name,
            },
        )


def silent_runs_have_crashed() -> AutomationCore:
    """Set a run to Crashed if neither another heartbeat nor a state without any follows in time."""
    return AutomationCore(
        name=NAME,
        description="A run that is killed together with its runner leaves no other trace.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, DELETED, *QUIET},
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
    """Create the automation unless it exists: the user may have changed or disabled it.

    One with the trigger of an earlier version gets that of today.
    """
    current = silent_runs_have_crashed()
    async with get_client() as client:
        known = await client.read_automations_by_name(NAME)
        if not known:
            await client.create_automation(current)
        for one in known:
            if _is_outdated(one):
                kept = one.model_dump(exclude={"id", "trigger", "owner_resource"})
                renewed = AutomationCore.model_validate({**kept, "trigger": current.trigger})
                await client.update_automation(one.id, renewed)


def _is_outdated(automation: AutomationCore) -> bool:
    """Whether it waits for Prefect's heartbeats, or takes runs that wait for crashed ones."""
    trigger = automation.trigger
    if not isinstance(trigger, EventTrigger):
        return False
    return OF_PREFECT in trigger.after or trigger.expect < {HEARTBEAT, DELETED, *QUIET}
