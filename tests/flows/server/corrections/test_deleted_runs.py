"""What the server records of tasks whose run was deleted meanwhile."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from prefect.server.events.schemas.events import ReceivedEvent
from sqlalchemy.exc import IntegrityError

from flows.server.corrections.deleted_runs import skipping

HERE, GONE = uuid4(), uuid4()


def event(run: UUID | None) -> ReceivedEvent:
    """The end of a task of a flow run."""
    related = {
        "prefect.resource.id": f"prefect.flow-run.{run}",
        "prefect.resource.role": "flow-run",
    }
    return ReceivedEvent(
        id=uuid4(),
        occurred=datetime.now(UTC),
        event="prefect.task-run.Completed",
        resource={"prefect.resource.id": f"prefect.task-run.{uuid4()}"},
        related=[related] if run else [],
    )


class Database:
    """Refuses every batch with a task of a run that is gone, or a double one."""

    def __init__(self) -> None:
        self.recorded: list[ReceivedEvent] = []
        self.is_double = False

    async def record(self, events: list[ReceivedEvent]) -> None:
        if self.is_double or any(f"{GONE}" in one.model_dump_json() for one in events):
            raise IntegrityError("INSERT", {}, Exception("FOREIGN KEY constraint failed"))
        self.recorded += events

    async def existing(self, runs) -> set[UUID]:
        return {HERE} & set(runs)


def test_tasks_of_a_deleted_run_cost_one_line_and_no_state_of_another(caplog):
    database, events = Database(), [event(HERE), event(GONE), event(None), event(GONE)]
    with caplog.at_level(logging.WARNING):
        asyncio.run(skipping(database.record, database.existing)(events))
    assert database.recorded == [events[0], events[2]]
    assert [row.message for row in caplog.records] == [
        "states of tasks not recorded, as their runs were deleted: 2"
    ]
    assert caplog.records[0].exc_info is None


def test_another_refusal_of_the_database_is_raised():
    database = Database()
    database.is_double = True
    with pytest.raises(IntegrityError):
        asyncio.run(skipping(database.record, database.existing)([event(HERE)]))
