"""What the gate writes into the database, with a client that keeps runs in memory."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, GlobalConcurrencyLimit, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingConcurrencySlot, Pending, Running, Scheduled

from flows.orchestration.endings.stopped import STOP_SECONDS
from flows.orchestration.waiting.gate import LOST, STUCK, Gate, GatedRunner, trained_dataset
from flows.orchestration.waiting.turn import LABEL, waiting_state

PIPELINE = uuid4()


class Server:
    """The part of Prefect's client that the gate uses."""

    def __init__(self, *runs, taken=1):
        self.runs = {run.id: run for run in runs}
        self.limit = GlobalConcurrencyLimit(name="cpu", limit=1, active_slots=taken)
        self.requests = 0

    async def read_flow_runs(self, *, flow_run_filter, sort, limit, offset):
        self.requests += 1
        wanted = flow_run_filter.state
        found = [
            run
            for run in self.runs.values()
            if (wanted.type and run.state.type in wanted.type.any_)
            or (wanted.name and run.state.name in wanted.name.any_)
        ]
        return found[offset : offset + limit]

    async def read_global_concurrency_limit_by_name(self, name):
        return self.limit

    async def set_flow_run_state(self, run, state):
        self.requests += 1
        self.runs[run] = self.runs[run].model_copy(update={"state": state})

    async def update_flow_run_labels(self, run, labels):
        self.runs[run].labels.update(labels)

    def shown(self, run):
        state = self.runs[run.id].state
        return state.name, state.message


def a_run(state, dataset="a", **labels):
    return FlowRun(
        flow_id=uuid4(),
        deployment_id=PIPELINE,
        name=f"pipeline {dataset}",
        parameters={"dataset": dataset},
        state=state,
        labels={LABEL: labels["training"]} if labels else {},
        expected_start_time=datetime.now(UTC),
    )


@pytest.fixture
def gate():
    gate = Gate("cpu")
    gate.flows[PIPELINE] = "pipeline"
    return gate


def admit(gate, server, *due, processes=()):
    return asyncio.run(gate.admit(server, list(due), frozenset(run.id for run in processes)))


def test_a_run_that_waits_is_started_when_the_device_is_free(gate):
    run = a_run(waiting_state("waiting for a slot of cpu"), training="waiting")
    server = Server(run)
    assert admit(gate, server) == []
    server.limit.active_slots = 0
    assert [found.id for found in admit(gate, server)] == [run.id]
    assert server.runs[run.id].state.state_details.scheduled_time <= datetime.now(UTC)


def test_a_run_that_is_due_but_must_wait_says_for_what(gate):
    active, run = a_run(Running(), training="holding"), a_run(Scheduled())
    server = Server(active, run)
    assert admit(gate, server, run) == []
    expected = ("AwaitingConcurrencySlot", "waiting for the run pipeline a of the same dataset")
    assert server.shown(run) == expected


@pytest.mark.parametrize("training", ["waiting", "holding"])
@pytest.mark.parametrize("taken", [0, 1])
def test_a_run_that_is_deleted_while_it_is_looked_at_ends_nothing(gate, taken, training):
    class Forgetful(Server):
        async def set_flow_run_state(self, run, state):
            raise ObjectNotFound(KeyError(run))

        async def update_flow_run_labels(self, run, labels):
            raise ObjectNotFound(KeyError(run))

    waits = a_run(waiting_state("waiting for the GPU"), training=training)
    due, same = a_run(Scheduled(), "b"), a_run(Scheduled(), "b")
    server = Forgetful(waits, taken=taken)
    admit(gate, server, due, same.model_copy(update={"auto_scheduled": True}))


def test_a_limit_that_was_deleted_in_the_ui_ends_nothing(gate):
    class Unlimited(Server):
        async def read_global_concurrency_limit_by_name(self, name):
            raise ObjectNotFound(KeyError(name))

    run = a_run(Scheduled())
    assert admit(gate, Unlimited(), run) == [run]


def test_the_state_of_a_run_is_left_alone_until_its_process_has_ended(gate):
    run = a_run(waiting_state("it gives up"), training="waiting")
    server = Server(run)
    admit(gate, server, processes=[run])
    assert server.shown(run)[1] == "it gives up"
    admit(gate, server)
    assert server.shown(run)[1] == "waiting for a slot of cpu"


def test_while_nothing_changes_nothing_is_written_and_no_row_is_read(gate):
    run = a_run(waiting_state("waiting for a slot of cpu"), training="waiting")
    server = Server(run)
    admit(gate, server)
    before = server.requests
    admit(gate, server)
    assert server.requests == before + 1  # the runs that have a process, not those that wait


def test_the_queue_of_a_limit_of_the_user_is_left_to_prefect(gate):
    run = a_run(AwaitingConcurrencySlot())
    assert admit(gate, Server(run)) == []


def test_a_run_that_lost_its_runner_occupies_nothing(gate):
    lost = a_run(Pending(), dataset="a")
    lost.state.timestamp = datetime.now(UTC) - STUCK - timedelta(seconds=1)
    run = a_run(Scheduled(), dataset="a")
    assert lost.state.type == StateType.PENDING
    assert admit(gate, Server(lost, run, taken=0), run) == [run]


def test_a_run_whose_only_runner_was_killed_before_it_started_is_due_again():
    gate = Gate("cpu", is_only_runner=True)
    gate.flows[PIPELINE] = "pipeline"
    lost, starting, new = (a_run(Pending(), dataset=name) for name in "abc")
    for run in (lost, starting):
        run.state.timestamp = datetime.now(UTC) - LOST - timedelta(seconds=1)
    server = Server(lost, starting, new, taken=0)
    admit(gate, server, processes=[starting])
    assert server.runs[lost.id].state.type == StateType.SCHEDULED
    assert server.runs[lost.id].state.state_details.scheduled_time <= datetime.now(UTC)
    for run in (starting, new):
        assert server.runs[run.id].state.type == StateType.PENDING


def test_a_run_that_another_runner_may_start_is_left_to_it(gate):
    run = a_run(Pending())
    run.state.timestamp = datetime.now(UTC) - STUCK - timedelta(seconds=1)
    server = Server(run, taken=0)
    admit(gate, server)
    assert server.runs[run.id].state.type == StateType.PENDING


def test_a_retried_run_does_not_count_as_the_training_that_it_once_was(gate):
    run = a_run(Scheduled(), training="holding")
    server = Server(run, taken=0)
    assert admit(gate, server, run) == [run]
    assert server.runs[run.id].labels[LABEL] == ""


def test_a_cancelled_process_is_granted_less_than_prefect_grants():
    runner = GatedRunner("cpu", is_only_runner=True, name="runner")
    granted = []

    async def kill(flow_run_id, grace_seconds=30, *, force=False):
        granted.append((grace_seconds, force))

    runner._process_manager.kill = kill
    runner._look_soon_whether_killed()
    asyncio.run(runner._process_manager.kill(uuid4(), grace_seconds=30.0))
    asyncio.run(runner._process_manager.kill(uuid4(), force=True))
    assert granted == [(2 * STOP_SECONDS, False), (2 * STOP_SECONDS, True)]


@pytest.mark.parametrize(
    ("flow", "parameters", "dataset"),
    [
        ("pipeline", {}, "a"),
        ("pipeline", {"plan_only": True}, None),
        ("train", {}, "a"),
        ("fetch", {"and_after": False}, None),
        ("fetch", {"and_after": True}, "a"),
        ("what-if", {}, None),
        ("sample", {"and_after": True}, None),
    ],
)
def test_whether_a_run_may_train_follows_from_its_form(flow, parameters, dataset):
    assert trained_dataset(flow, {"dataset": "a"} | parameters) == dataset
