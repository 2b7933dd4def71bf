"""What Prefect's schedules do when clocks change, as docs/prefect.md says it."""

import asyncio
from datetime import UTC, datetime, timedelta

import prefect
import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

ZONE = "Europe/Zurich"
SPRING, AUTUMN = datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
"""The day before clocks go forward from 02:00 to 03:00, and the day before they go back."""


def times(schedule, start, number):
    dates = asyncio.run(schedule.get_dates(number, start=start))
    return [f"{date:%d %H:%M %z}" for date in dates]


def test_a_time_that_spring_skips_is_run_an_hour_later_and_by_prefect_3_8_an_hour_early():
    schedule = CronSchedule(cron="30 2 * * *", timezone=ZONE)
    is_old = prefect.__version__.startswith("3.8.")
    skipped = "28 01:30 +0100" if is_old else "28 03:30 +0200"
    assert times(schedule, SPRING, 2) == [skipped, "29 02:30 +0200"]


def test_a_time_that_autumn_repeats_is_run_once():
    schedule = CronSchedule(cron="30 2 * * *", timezone=ZONE)
    assert times(schedule, AUTUMN, 2) == ["25 02:30 +0200", "26 02:30 +0100"]


@pytest.mark.parametrize(
    "schedule",
    [
        CronSchedule(cron="0 * * * *", timezone=ZONE),
        IntervalSchedule(interval=timedelta(hours=1), timezone=ZONE, anchor_date=SPRING),
    ],
)
def test_an_hourly_schedule_leaves_out_the_hour_that_autumn_repeats(schedule):
    start = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert times(schedule, start, 3) == ["25 01:00 +0200", "25 02:00 +0200", "25 03:00 +0100"]


def test_a_schedule_in_utc_knows_no_change_of_clocks():
    schedule = CronSchedule(cron="0 * * * *", timezone="UTC")
    start = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert times(schedule, start, 3) == ["24 23:00 +0000", "25 00:00 +0000", "25 01:00 +0000"]


def test_a_schedule_without_a_time_zone_is_in_utc():
    schedule = CronSchedule(cron="30 2 * * *")
    assert times(schedule, AUTUMN, 1) == ["25 02:30 +0000"]
