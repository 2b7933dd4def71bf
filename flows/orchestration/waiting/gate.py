"""The runner of `charmill serve`: starts a process for a run only when it is the run's turn.

Prefect's runner starts every run that is due, up to a number of processes. This one asks
`take_turns` first. A run that has to wait is set to AwaitingConcurrencySlot with the reason, so the
UI shows it. While nothing changes, the rows of waiting runs are read every ten seconds.
"""

import json
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, get_args
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.states import Cancelled, Scheduled

from flows.orchestration.endings.stopped import STOP_SECONDS
from flows.orchestration.waiting.order import Candidate, Device, Training, Turns, take_turns
from flows.orchestration.waiting.turn import JOINED, LABEL, parent_of, waiting_state

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

logger = logging.getLogger(__name__)
LOOK_SECONDS = 10.0
"""Interval at which the waiting runs are looked at even if nothing seems to have changed."""
PAGE = 200
STUCK = timedelta(minutes=10)
"""A run that has been Pending for so long has lost its runner, and occupies nothing."""
LOST = timedelta(seconds=30)
"""The same if there is no other runner; a process of one that was killed has ended by then."""
WAITING = "AwaitingConcurrencySlot"
ACTIVE = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
TRAINING_FLOWS = ("pipeline", "train")
"""Flows whose runs train; other stages do so only with `and_after`."""
BEFORE_TRAINING = ("fetch", "corpus")
KNOWN: dict[Any, Training] = {name: name for name in get_args(Training)}


class GatedRunner(Runner):
    """Prefect's runner, without a limit on processes but with a gate.

    Args:
        device: the name of the limit of trainings.
        is_only_runner: whether nobody else executes runs of the same deployments.
    """

    def __init__(self, device: str, *, is_only_runner: bool, **options: Any) -> None:
        super().__init__(limit=None, **options)
        self._gate = Gate(device, is_only_runner=is_only_runner)

    async def aadd(self, deployment: "RunnerDeployment") -> None:
        """Register a deployment, and execute its runs."""
        name = deployment.flow_name or ""
        self._gate.flows[await self.aadd_deployment(deployment)] = name

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        poller = self._scheduled_run_poller
        due = poller._get_scheduled_flow_runs

        async def admitted() -> list[FlowRun]:
            processes = frozenset(poller._submitting_flow_run_ids)
            return await self._gate.admit(self._client, await due(), processes)

        poller._get_scheduled_flow_runs = admitted
        self._look_soon_whether_killed()
        return self

    def _look_soon_whether_killed(self) -> None:
        """Notice the end of a cancelled run after a second, not after three.

        Prefect looks ten times in the time that it grants a process, which is half a minute; a run
        of ours ends itself long before.
        """
        manager = self._process_manager
        original = manager.kill

        async def kill(
            flow_run_id: UUID, grace_seconds: float = 30, *, force: bool = False
        ) -> None:
            await original(flow_run_id, min(grace_seconds, 2 * STOP_SECONDS), force=force)

        manager.kill = kill


class Gate:
    """Asks the server for the runs that have a process or wait, and applies `take_turns`.

    Attributes:
        flows: the flow of every deployment that is served.
    """

    def __init__(self, device: str, *, is_only_runner: bool = False) -> None:
        self.flows: dict[UUID, str] = {}
        self._device = device
        self._is_only_runner = is_only_runner
        self._seen: Any = None
        self._holds = False
        self._next_look = 0.0

    async def admit(
        self, client: PrefectClient, due: list[FlowRun], processes: frozenset[UUID]
    ) -> list[FlowRun]:
        """Return the runs to start now, and set the others to their state.

        Args:
            processes: runs of this runner whose process exists, or is being started.
        """
        if not (due or self._holds or time.monotonic() >= self._next_look):
            return []
        active = await self._active(client, processes)
        device = await self._read_device(client)
        leaving = len(processes.difference((r.id for r in active), (r.id for r in due)))
        seen = ({(run.id, run.labels.get(LABEL)) for run in active}, device, leaving)
        if not due and seen == self._seen and time.monotonic() < self._next_look:
            return []
        self._seen, self._next_look = seen, time.monotonic() + LOOK_SECONDS
        queue = {run.id: run for run in await self._waiting(client)}
        queue |= {run.id: run for run in due}
        waiting = [self._candidate(run) for run in queue.values()]
        busy = [self._candidate(run) for run in active]
        turns = take_turns(waiting, busy, device, leaving)
        self._holds = bool(turns.hold)
        for run in processes.intersection(turns.hold):
            del turns.hold[run]  # its process is ending; until then the state is its own
        await self._settle(client, queue, turns, {run.id for run in due})
        return [queue[run] for run in turns.start]

    async def _settle(
        self, client: PrefectClient, queue: dict[UUID, FlowRun], turns: Turns, due: set[UUID]
    ) -> None:
        for run, reason in turns.hold.items():
            shown = queue[run].state
            known = shown is not None and (shown.name, shown.message) == (WAITING, reason)
            if run in due or not known:
                with suppress(ObjectNotFound):  # a user has deleted it since it was read
                    await client.set_flow_run_state(run, waiting_state(reason))
        for run, other in turns.join.items():
            words = f"{JOINED}{other.name}, which waits and does the same"
            with suppress(ObjectNotFound):
                await client.set_flow_run_state(run, Cancelled(message=words))
        for run in turns.start:
            with suppress(ObjectNotFound):
                if queue[run].labels.get(LABEL) in ("holding", "done"):  # of an earlier attempt
                    await client.update_flow_run_labels(run, {LABEL: ""})
                if run not in due:
                    now = Scheduled(scheduled_time=datetime.now(UTC))
                    await client.set_flow_run_state(run, now)

    async def _active(self, client: PrefectClient, processes: frozenset[UUID]) -> list[FlowRun]:
        """Runs that have a process; one whose runner was killed before it started is due again."""
        kinds = FlowRunFilterState(type=FlowRunFilterStateType(any_=ACTIVE))
        active: list[FlowRun] = []
        for run in await self._read(client, kinds):
            age = _pending_for(run)
            if self._is_only_runner and age > LOST and run.id not in processes:
                logger.warning("%s had no process yet when serving was killed: due again", run.name)
                again = Scheduled(scheduled_time=datetime.now(UTC))
                with suppress(ObjectNotFound):
                    await client.set_flow_run_state(run.id, again)
            elif age <= STUCK:
                active.append(run)
        return active

    async def _waiting(self, client: PrefectClient) -> list[FlowRun]:
        names = FlowRunFilterState(name=FlowRunFilterStateName(any_=[WAITING]))
        found = await self._read(client, names)
        # Prefect gives no reason: it waits for a limit that the user has set for a deployment, and
        # will be due again by itself.
        return [run for run in found if run.state and run.state.message]

    async def _read(self, client: PrefectClient, state: FlowRunFilterState) -> list[FlowRun]:
        wanted = FlowRunFilter(
            state=state, deployment_id=FlowRunFilterDeploymentId(any_=list(self.flows))
        )
        runs: list[FlowRun] = []
        while True:
            page = await client.read_flow_runs(
                flow_run_filter=wanted,
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=PAGE,
                offset=len(runs),
            )
            runs += page
            if len(page) < PAGE:
                return runs

    async def _read_device(self, client: PrefectClient) -> Device:
        try:
            limit = await client.read_global_concurrency_limit_by_name(self._device)
        except ObjectNotFound:  # a user has deleted it; the next training makes it again
            return Device(name=self._device, slots=1, taken=0)
        taken = limit.active_slots if limit.active else 0
        slots = limit.limit if limit.active else PAGE
        return Device(name=self._device, slots=slots, taken=taken)

    def _candidate(self, run: FlowRun) -> Candidate:
        assert run.deployment_id
        created = run.created or datetime.now(UTC)
        return Candidate(
            id=run.id,
            name=run.name,
            due=(run.expected_start_time or created, created),
            work=json.dumps([str(run.deployment_id), run.parameters], sort_keys=True, default=str),
            dataset=trained_dataset(self.flows[run.deployment_id], run.parameters),
            training=KNOWN.get(run.labels.get(LABEL), ""),
            parent=parent_of(run),
            scheduled=bool(run.auto_scheduled),
        )


def trained_dataset(flow: str, parameters: dict[str, Any]) -> str | None:
    """The dataset that a run of a flow may train a model of; None if it trains nothing."""
    if parameters.get("plan_only"):
        return None
    later = flow in BEFORE_TRAINING and parameters.get("and_after")
    return parameters.get("dataset") if flow in TRAINING_FLOWS or later else None


def _pending_for(run: FlowRun) -> timedelta:
    """How long a run has been Pending; nothing if it is in another state."""
    if run.state is None or run.state.type != StateType.PENDING:
        return timedelta(0)
    return datetime.now(UTC) - run.state.timestamp
