"""Which columns of a schedule an update writes."""

import asyncio
from uuid import uuid4

import pytest

from flows.server.corrections.schedules import is_needed, keep_what_an_update_omits

SENT = [
    ({"active": False}, {"active": False}),
    ({"parameters": {"preset": "base"}}, {"parameters": {"preset": "base"}}),
    ({"active": True, "parameters": {}}, {"active": True, "parameters": {}}),
    ({"slug": "nightly", "max_scheduled_runs": 3}, {"slug": "nightly", "max_scheduled_runs": 3}),
    ({"replaces": "old", "slug": "new"}, {"slug": "new"}),
]


class Session:
    """Records the values of the update that it executes."""

    def __init__(self) -> None:
        self.written: dict[str, object] = {}

    async def execute(self, statement):
        self.written = {column.name: value.value for column, value in statement._values.items()}
        return type("Result", (), {"rowcount": 1})()


def written(update, sent: dict[str, object]) -> dict[str, object]:
    from prefect.server.schemas.actions import DeploymentScheduleUpdate

    session = Session()
    schedule = DeploymentScheduleUpdate.model_validate(sent)
    asyncio.run(
        update(
            session=session,
            deployment_id=uuid4(),
            deployment_schedule_id=uuid4(),
            schedule=schedule,
        )
    )
    return session.written


@pytest.fixture
def deployments(monkeypatch):
    """Prefect's module with the update; restored after the test."""
    from prefect.server.models import deployments

    original = deployments.update_deployment_schedule
    monkeypatch.setattr(deployments, "update_deployment_schedule", original)
    return deployments


@pytest.mark.parametrize(("sent", "expected"), SENT)
def test_an_update_writes_what_was_sent_and_nothing_else(deployments, sent, expected):
    keep_what_an_update_omits()
    assert written(deployments.update_deployment_schedule, sent) == expected


def test_the_correction_is_there_only_while_prefect_needs_it(deployments):
    update = deployments.update_deployment_schedule
    loses_parameters = "parameters" in written(update, {"active": False})
    assert is_needed(update) == loses_parameters
    keep_what_an_update_omits()
    assert (deployments.update_deployment_schedule is not update) == loses_parameters
