"""How a run ends that its user stops: by cancelling, pausing or deleting it in the UI.

All end as a cancelled training does, with a checkpoint, and are logged as what they are. Prefect
cancels with a SIGTERM, which it reports as a crash. It leaves a deleted run alone: the process
would train to its end, hold the device, and publish the report of a run that is gone. It pauses a
run between two tasks: a training would continue to its end. Here a paused run gives back its
process and the device, and continues at its checkpoint when it is resumed.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext
from prefect.events.clients import NullEventsClient
from prefect.events.worker import EventsWorker
from prefect.exceptions import Abort, ObjectNotFound, Pause, TerminationSignal
from prefect.runtime import deployment

from flows.orchestration.endings.silent import Heart
from flows.stages.signals import end_with_parent, end_within

StopReason = Literal["cancelled", "deleted", "paused"]
STOP_SECONDS = 6
"""Time that a stopped run has for its checkpoint before it is killed."""
LOOK_SECONDS = 2.0
"""Interval of looking whether the run still exists, and a heartbeat is due."""
RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
CRASH_MESSAGES = (
    "Crash detected!",
    "Finished in state Crashed",
    "Finished in state Running",
)
"""What Prefect logs about a run that a signal ends."""


@contextmanager
def stoppable() -> Iterator[None]:
    """End the flow run of the block within seconds if its user cancels, pauses or deletes it.

    Does nothing for a run that no deployment started: it is the command line's.
    """
    context = FlowRunContext.get()
    if deployment.get_id() is None or context is None or context.flow_run is None:
        yield
        return
    run, heart, over = context.flow_run.id, Heart(context.flow_run), threading.Event()
    end_within(STOP_SECONDS)
    end_with_parent()
    for name in RUN_LOGGERS:
        logging.getLogger(name).addFilter(_Calmly(run))
    threading.Thread(target=_watch, args=(run, heart, over), daemon=True, name="watch").start()
    try:
        with _settling(heart, over):
            yield
    except TerminationSignal:
        # Prefect takes a SIGTERM for a crash unless its own handler was installed when it came;
        # a training installs another one, for its checkpoint.
        reason = _reason_now(run)
        if reason == "paused":
            raise Pause(reason) from None
        if reason:
            raise Abort(reason) from None
        raise


@contextmanager
def _settling(heart: Heart, over: threading.Event) -> Iterator[None]:
    """End the watch with the block, and let the server see a heartbeat before the run's end."""
    has_time = True
    try:
        yield
    except TerminationSignal:
        has_time = False
        raise
    finally:
        over.set()
        if has_time:
            heart.settle()


def end_if_deleted() -> None:
    """Publish nothing for a run that no longer exists.

    Raises:
        Abort: if it was deleted.
    """
    context = FlowRunContext.get()
    if context and context.flow_run and _reason_now(context.flow_run.id) == "deleted":
        raise Abort("deleted")


def stop_reason(run: UUID, client: SyncPrefectClient) -> StopReason | None:
    """Whether the user has asked that the run ends, and how."""
    try:
        state = client.read_flow_run(run).state
    except ObjectNotFound:
        return "deleted"
    if state and state.is_paused():
        return "paused"
    return "cancelled" if state and (state.is_cancelling() or state.is_cancelled()) else None


def _reason_now(run: UUID) -> StopReason | None:
    with get_client(sync_client=True) as client:
        return stop_reason(run, client)


def _watch(run: UUID, heart: Heart, over: threading.Event) -> None:
    """Send heartbeats, and a SIGTERM to this process once the run is paused or deleted."""
    with get_client(sync_client=True) as client:
        while not over.wait(LOOK_SECONDS):
            heart.beat()
            reason = None
            with suppress(httpx.HTTPError):  # a short outage must not end a training
                reason = stop_reason(run, client)
            if reason in ("deleted", "paused"):
                heart.stop()
                if reason == "deleted":
                    # The server cannot record the states of its tasks any more.
                    EventsWorker.set_client_override(NullEventsClient)
                os.kill(os.getpid(), signal.SIGTERM)
                return


class _Calmly(logging.Filter):
    """Report a stop that the user asked for as such, once per logger, and not as a crash."""

    def __init__(self, run: UUID) -> None:
        super().__init__()
        self._run = run
        self._reason: StopReason | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the first message of Prefect about a crash that is none; drop the others."""
        if not record.getMessage().startswith(CRASH_MESSAGES):
            return True
        if self._reason is not None:  # known, and already in the log
            return False
        with suppress(httpx.HTTPError):
            self._reason = _reason_now(self._run)
        if self._reason is not None:
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = f"stopped: the run was {self._reason}", ()
        return True
