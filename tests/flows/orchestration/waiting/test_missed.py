"""Which runs of a schedule were never made, and that a stop which loses some is reported."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import CreatedBy, DeploymentSchedule, FlowRun
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from flows.orchestration.waiting.missed import (
    MOST,
    SEEN,
    Absence,
    absence_until_now,
    missed_dates,
)
from tests.flows.serving import Serving
from tests.processes import until

NIGHT = Absence(datetime(2026, 11, 27, 20, tzinfo=UTC), datetime(2026, 11, 28, 7, 30, tzinfo=UTC))


def scheduled(clock, schedule_id=None):
    return DeploymentSchedule(id=schedule_id or uuid4(), schedule=clock)


def run_of(schedule, hour, **delay):
    due = datetime(2026, 11, 27, 0, tzinfo=UTC) + timedelta(hours=hour, **delay)
    by = CreatedBy(id=schedule.id, type="SCHEDULE", display_value="")
    return FlowRun(flow_id=uuid4(), expected_start_time=due, created_by=by)


def missed(schedule, runs=(), absence=NIGHT):
    return asyncio.run(missed_dates(schedule, runs, absence))


@pytest.mark.parametrize(
    "clock",
    [
        CronSchedule(cron="0 * * * *", timezone="Europe/Zurich"),
        IntervalSchedule(interval=timedelta(hours=1), anchor_date=datetime(2026, 1, 1, tzinfo=UTC)),
        RRuleSchedule(rrule="FREQ=HOURLY;BYMINUTE=0;BYSECOND=0"),
    ],
)
def test_what_was_due_and_has_no_run_was_missed(clock):
    schedule = scheduled(clock)
    made = [run_of(schedule, hour) for hour in range(19, 25)]
    assert [date.hour for date in missed(schedule, made)] == [1, 2, 3, 4, 5, 6, 7]


def test_runs_of_other_schedules_and_of_users_make_up_for_nothing():
    schedule = scheduled(CronSchedule(cron="0 3 * * *"))
    other = scheduled(schedule.schedule)
    by_hand = FlowRun(flow_id=uuid4(), expected_start_time=NIGHT.start + timedelta(hours=7))
    assert len(missed(schedule, [run_of(other, 27), by_hand])) == 1
    assert missed(schedule, [run_of(schedule, 27, milliseconds=1)]) == []


def test_a_weekly_schedule_misses_nothing_in_a_night():
    assert missed(scheduled(CronSchedule(cron="0 5 * * 0"))) == []


def test_counting_ends_where_prefect_looks_no_further():
    every_second = IntervalSchedule(interval=timedelta(seconds=1))
    assert len(missed(scheduled(every_second))) == MOST


def test_an_absence_lasts_from_the_last_touch_until_now(tmp_path):
    path = tmp_path / "seen"
    assert absence_until_now(path, timedelta()) is None
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    found = absence_until_now(path, timedelta(minutes=3))
    assert found is not None
    assert found.start.timestamp() == pytest.approx(long_ago)
    assert absence_until_now(path, timedelta(minutes=3)) is None


def test_a_clock_that_was_set_back_is_no_absence(tmp_path):
    path = tmp_path / "seen"
    path.touch()
    os.utime(path, (time.time() + 3600,) * 2)
    assert absence_until_now(path, timedelta()) is None


@pytest.mark.slow
def test_a_stop_that_is_longer_than_what_was_prepared_is_reported(tmp_path):
    """Starts `charmill serve` twice, and waits in between."""
    serving = Serving(tmp_path)
    serving.start()
    until((tmp_path / "artifacts" / ".prefect" / SEEN).exists)  # it is made after the deployments
    name = "poll/all-datasets"
    every = {"interval": 3, "anchor_date": "2026-01-01T00:00:00Z"}
    mine = [{"schedule": every, "active": True, "max_scheduled_runs": 2}]
    path = f"deployments/{serving.deployment(name)['id']}/schedules"
    serving.api("POST", path, mine)
    (schedule,) = serving.api("GET", path)
    serving.stop()
    time.sleep(30)
    serving.start()

    def reported():
        body = {"flow_runs": {"name": {"like_": "missed runs"}}}
        return serving.api("POST", "flow_runs/filter", body)

    (row,) = until(reported)
    serving.api("DELETE", f"{path}/{schedule['id']}")
    assert row["state"]["type"] == "CANCELLED"
    assert "were never made: charmill serve was stopped" in row["state"]["message"]
    number = int(row["name"].split()[0])
    assert 1 <= number <= (time.time() - schedule_start(row, schedule)) / 3
    assert "poll/all-datasets: " + row["name"].split()[0] in (tmp_path / "serve.log").read_text()
    serving.stop()


def schedule_start(row, schedule):
    return datetime.fromisoformat(schedule["created"].replace("Z", "+00:00")).timestamp()
