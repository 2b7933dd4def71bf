"""Record the tasks of a deleted run no more, in one line of the log.

A task that ends within seconds after its run was deleted still announces its end. The database
refuses it, because its run is gone. Prefect then repeats the whole batch six times, each with a
traceback, and drops it: with it the states of the tasks of other runs.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import wraps
from uuid import UUID

import sqlalchemy as sa
from prefect.server.database import provide_database_interface
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.services import task_run_recorder
from sqlalchemy.exc import IntegrityError

logger = logging.getLogger(__name__)
Recorder = Callable[[list[ReceivedEvent]], Awaitable[None]]


def skip_tasks_of_deleted_runs() -> None:
    """Correct the recorder of Prefect's server."""
    original = task_run_recorder.record_bulk_task_run_events
    task_run_recorder.record_bulk_task_run_events = skipping(original, _existing)


def skipping(
    record: Recorder, existing: Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
) -> Recorder:
    """A recorder that leaves out the events of runs that do not exist, if the database refuses.

    Args:
        existing: those of some flow runs that exist.
    """

    @wraps(record)
    async def record_what_has_a_run(events: list[ReceivedEvent]) -> None:
        try:
            await record(events)
        except IntegrityError:
            left = await _with_a_run(events, existing)
            if len(left) == len(events):
                raise
            gone = len(events) - len(left)
            logger.warning("states of tasks not recorded, as their runs were deleted: %d", gone)
            await record(left)

    return record_what_has_a_run


async def _with_a_run(
    events: Sequence[ReceivedEvent],
    existing: Callable[[Collection[UUID]], Awaitable[Collection[UUID]]],
) -> list[ReceivedEvent]:
    """The events of tasks outside of any flow run, and of those whose flow run exists."""
    runs = {id(event): _flow_run(event) for event in events}
    known = await existing({run for run in runs.values() if run})
    return [event for event in events if runs[id(event)] in (None, *known)]


def _flow_run(event: ReceivedEvent) -> UUID | None:
    resource = event.resource_in_role.get("flow-run")
    return resource.prefect_object_id("prefect.flow-run") if resource else None


async def _existing(runs: Collection[UUID]) -> Collection[UUID]:
    database = provide_database_interface()
    query = sa.select(database.FlowRun.id).where(database.FlowRun.id.in_(runs))
    async with database.session_context() as session:
        return set((await session.execute(query)).scalars())
