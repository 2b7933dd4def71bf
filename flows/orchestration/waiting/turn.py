"""How a run that has to wait for a device gives its process back.

It becomes a row in the state AwaitingConcurrencySlot, and is started again when it is its turn
(`gate.py`). Its finished stages are then reused.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NoReturn
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.concurrency._asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.states import AwaitingConcurrencySlot

from flows.orchestration.waiting.order import Training

LABEL = "charmill.training"
STARTED = " started "
ENDING = "(its process is ending)"
JOINED = "joined to the run "
AGAIN = timedelta(hours=1)
"""After this time a waiting run is due again even if no `charmill serve` has called it."""


def waiting_state(reason: str) -> State[None]:
    """The state of a run that waits without a process."""
    return AwaitingConcurrencySlot(message=reason, scheduled_time=datetime.now(UTC) + AGAIN)


def give_back(reason: str) -> NoReturn:
    """End this process; the run waits as a row. A run that was cancelled meanwhile remains so.

    A heartbeat that arrives after the new state would be the last one for long, so the run would
    count as crashed. Therefore the gate sets the state once more, without the note at its end,
    when the process has ended.
    """
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(this_run().id, waiting_state(f"{reason} {ENDING}"))
    if answer.state and answer.state.is_scheduled():
        raise Pause(reason, state=answer.state)
    raise Abort(reason)


def child_key(parent: UUID, dataset: str) -> str:
    """The idempotency key of a run that another run starts and waits for."""
    return f"{parent}{STARTED}{dataset}"


def parent_of(run: FlowRun) -> str | None:
    """The id of the run that started this one and waits for it."""
    parent, found, _ = (run.idempotency_key or "").partition(STARTED)
    return parent if found else None


def this_run() -> FlowRun:
    """The flow run of this process."""
    context = FlowRunContext.get()
    assert context
    assert context.flow_run
    return context.flow_run


@contextmanager
def slot_or_row(limit: str, lease_seconds: float) -> Iterator[None]:
    """Hold a slot of a limit while the block runs; if there is none, give the process back.

    First come, first served: a free slot belongs to those that wait already.
    """
    run = this_run().id
    with ExitStack() as held:
        try:
            if _must_queue(run):
                _wait(run, limit)
            held.enter_context(
                concurrency(
                    limit,
                    max_retries=0,
                    lease_duration=lease_seconds,
                    strict=True,
                    raise_on_lease_renewal_failure=False,
                )
            )
        except ConcurrencySlotAcquisitionError as error:
            if not _is_full(error):
                raise
            _wait(run, limit)
        _mark(run, "holding")
        try:
            yield
        finally:
            with suppress(httpx.HTTPError):
                _mark(run, "done")


def _wait(run: UUID, limit: str) -> NoReturn:
    _mark(run, "waiting")
    give_back(f"waiting for a slot of {limit}")


def _is_full(error: ConcurrencySlotAcquisitionError) -> bool:
    cause = error.__cause__
    return (
        isinstance(cause, httpx.HTTPStatusError) and cause.response.status_code == HTTPStatus.LOCKED
    )


def _must_queue(run: UUID) -> bool:
    """Whether this run was not called, but others wait for a device, or were called just now."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateName,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    rows = FlowRunFilterState(name=FlowRunFilterStateName(any_=["AwaitingConcurrencySlot"]))
    called = FlowRunFilterState(
        type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
    )
    with get_client(sync_client=True) as client:
        if client.read_flow_run(run).labels.get(LABEL) == "waiting":
            return False
        found = [
            other
            for state in (rows, called)
            for other in client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state))
        ]
    return any(other.labels.get(LABEL) == "waiting" and other.id != run for other in found)


def _mark(run: UUID, training: Training) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(run, {LABEL: training})
