"""How a run that is stopped is logged, and what makes a run that is silent a crashed one."""

import asyncio
import logging
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import Automation

from flows.orchestration.endings import silent, stopped

CRASH = [
    "Crash detected! Execution was aborted by a termination signal.",
    "Finished in state Crashed('Execution was aborted by a termination signal.')",
]


def logged(monkeypatch, reason: str | None, messages: list[str]) -> list[tuple[str, str]]:
    """Level and text of what is left of Prefect's messages of a run."""

    def reason_now(_run):
        if reason == "no answer":
            raise httpx.ConnectError("no answer")
        return reason

    monkeypatch.setattr(stopped, "_reason_now", reason_now)
    calmly = stopped._Calmly(uuid4())
    records = [
        logging.LogRecord("prefect.task_runs", logging.ERROR, "engine.py", 1, text, (), None)
        for text in messages
    ]
    return [(one.levelname, one.getMessage()) for one in records if calmly.filter(one)]


@pytest.mark.parametrize("reason", ["cancelled", "deleted", "paused"])
def test_a_stop_that_was_asked_for_is_said_once_and_is_no_error(monkeypatch, reason):
    assert logged(monkeypatch, reason, CRASH) == [("INFO", f"stopped: the run was {reason}")]


@pytest.mark.parametrize("reason", [None, "no answer"])
def test_every_other_signal_remains_a_crash(monkeypatch, reason):
    assert logged(monkeypatch, reason, CRASH) == [("ERROR", text) for text in CRASH]


def test_other_messages_of_a_stopped_run_are_left_alone(monkeypatch):
    other = ["Finished in state Failed('no space')", "train of tiny: started"]
    assert logged(monkeypatch, "cancelled", other) == [("ERROR", text) for text in other]


@pytest.fixture
def sent(monkeypatch):
    """The names of the events that are sent."""
    names: list[str] = []
    monkeypatch.setattr(silent, "emit_event", lambda event, resource: names.append(event))
    return names


def test_a_heart_beats_no_more_often_than_needed(sent):
    heart = silent.Heart(FlowRun(flow_id=uuid4(), name="run"))
    for _ in range(3):
        heart.beat()
    heart.stop()
    assert sent == [silent.HEARTBEAT, silent.DELETED]


class Automations:
    """A client of a server that has automations."""

    def __init__(self, known: list[Automation]) -> None:
        self.known, self.created, self.updated = known, [], []

    @asynccontextmanager
    async def connection(self):
        yield self

    async def read_automations_by_name(self, name):
        return [one for one in self.known if one.name == name]

    async def create_automation(self, automation):
        self.created.append(automation)

    async def update_automation(self, _id, automation):
        self.updated.append(automation)


def ensured(monkeypatch, known: list[Automation]) -> Automations:
    client = Automations(known)
    monkeypatch.setattr(silent, "get_client", client.connection)
    asyncio.run(silent.ensure_automations())
    return client


def automation(**changes) -> Automation:
    current = silent.silent_runs_have_crashed().model_dump()
    return Automation.model_validate(current | {"id": uuid4()} | changes)


def test_the_automation_is_made_once(monkeypatch):
    assert ensured(monkeypatch, []).created == [silent.silent_runs_have_crashed()]
    again = ensured(monkeypatch, [automation(enabled=False)])
    assert not again.created + again.updated


def test_an_older_automation_gets_the_trigger_of_today_and_stays_disabled(monkeypatch):
    trigger = silent.silent_runs_have_crashed().trigger.model_dump()
    old = automation(trigger=trigger | {"after": {silent.OF_PREFECT}}, enabled=False)
    client = ensured(monkeypatch, [old])
    (renewed,) = client.updated
    assert renewed.trigger.after == {silent.HEARTBEAT}
    assert not renewed.enabled
    assert "owner_resource" not in renewed.model_dump(exclude_unset=True)
