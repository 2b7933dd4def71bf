"""Runs of schedules that were never made, because nothing ran that could have made them.

Prefect makes the runs of a schedule ahead: those of the next hour, at least three, at most a
hundred. After a longer stop these are late, and one of them makes up for all (`order.py`); those
that were due after them do not exist. They are counted here, by the schedule's own clock, and
reported in the log and as one cancelled run of the deployment.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import DeploymentSchedule, FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled

from system.clock import minute

logger = logging.getLogger(__name__)
SEEN = "charmill-serve-was-here"
"""A file in Prefect's home, touched every minute."""
SEEN_SECONDS = 60.0
SLEEP = timedelta(minutes=3)
"""A longer gap between two touches means that the machine slept."""
MOST = 1000
"""Prefect looks no further in a schedule, whatever it is asked."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which no server made runs."""

    start: datetime
    end: datetime


async def watch_absences(home: Path) -> None:
    """Report what was missed before this start, and while the machine slept, until cancelled.

    Args:
        home: of Prefect; a file in it says when `charmill serve` was last running.
    """
    least = timedelta()
    while True:
        if absence := absence_until_now(home / SEEN, least):
            try:
                await report_missed(absence)
            except httpx.HTTPError as error:
                logger.warning("missed runs are not counted: %s", error)
        least = SLEEP
        await asyncio.sleep(SEEN_SECONDS)


def absence_until_now(path: Path, least: timedelta) -> Absence | None:
    """The time since a file was last touched, which it is now; None if it is shorter than `least`.

    None also if the file is new, or the clock was set back.
    """
    now = datetime.now(UTC)
    before = datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else now
    path.touch()
    return Absence(before, now) if now - before > least else None


async def report_missed(absence: Absence) -> None:
    """Report the runs that were due in a time and were never made, one line for each schedule."""
    async with get_client() as client:
        async for deployment in _deployments(client):
            active = [one for one in deployment.schedules if one.active]
            if deployment.paused or not active:
                continue
            runs = await _runs(client, deployment, absence)
            for schedule in active:
                if missed := await missed_dates(schedule, runs, absence):
                    await _report(client, deployment, schedule, missed)


async def missed_dates(
    schedule: DeploymentSchedule, runs: Iterable[FlowRun], absence: Absence
) -> list[datetime]:
    """When a schedule was due and no run was made: ascending, in UTC, at most `MOST`.

    Args:
        runs: of the deployment, due in that time.
    """
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

    kinds = {kind.__name__: kind for kind in (CronSchedule, IntervalSchedule, RRuleSchedule)}
    clock = kinds[type(schedule.schedule).__name__].model_validate(schedule.schedule.model_dump())
    made = {
        round(run.expected_start_time.timestamp())
        for run in runs
        if run.expected_start_time and run.created_by and run.created_by.id == schedule.id
    }
    start = max(absence.start, schedule.created or absence.start)
    due = await clock.get_dates(MOST, start=start, end=absence.end)
    return [date.astimezone(UTC) for date in due if round(date.timestamp()) not in made]


async def _report(
    client: PrefectClient,
    deployment: DeploymentResponse,
    schedule: DeploymentSchedule,
    missed: list[datetime],
) -> None:
    number = f"{len(missed):,}" if len(missed) < MOST else f"{MOST:,} or more"
    when = f"{minute(missed[0].isoformat())} to {minute(missed[-1].isoformat())} UTC"
    words = (
        f"{number} runs due {when} were never made: charmill serve was stopped. "
        "A late run of the same schedule makes up for them."
    )
    flow = await client.read_flow(deployment.flow_id)
    name = f"{flow.name}/{deployment.name}"
    logger.warning("%s: %s", name, words)
    try:
        await client.create_flow_run_from_deployment(
            deployment.id,
            parameters={**deployment.parameters, **schedule.parameters},
            state=Cancelled(message=words),
            name=f"{number} missed runs",
            idempotency_key=f"missed {schedule.id} {missed[-1].isoformat()}",
        )
    except PrefectHTTPStatusError as error:  # its parameters are no longer valid
        logger.warning("%s: not in its list of runs: %s", name, error)


async def _deployments(client: PrefectClient) -> AsyncIterator[DeploymentResponse]:
    offset = 0
    while page := await client.read_deployments(limit=PAGE, offset=offset):
        for deployment in page:
            yield deployment
        offset += len(page)


async def _runs(
    client: PrefectClient, deployment: DeploymentResponse, absence: Absence
) -> list[FlowRun]:
    """The runs of a deployment that were due in a time."""
    due = FlowRunFilterExpectedStartTime(after_=absence.start, before_=absence.end)  # pyright: ignore[reportArgumentType]
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]), expected_start_time=due
    )
    runs: list[FlowRun] = []
    while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(runs)):
        runs += page
    return runs
