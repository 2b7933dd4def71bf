from datetime import datetime, timedelta

import pytest

from system.clock import duration, minute, moment, now_stamp


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (2.1, "2.1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7800, "2 h 10 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_a_duration_has_two_units_at_most_and_never_60_of_one(seconds, shown):
    assert duration(seconds) == shown


def test_a_stamp_is_the_present_moment_with_its_offset():
    stamp = datetime.fromisoformat(now_stamp())
    assert stamp.utcoffset() is not None
    assert abs(datetime.now(stamp.tzinfo) - stamp) < timedelta(minutes=1)


def test_a_stored_moment_is_shown_to_the_minute():
    assert minute("2026-11-22T17:01:59-03:30") == "2026-11-22 17:01"
    assert moment("2026-11-22T17:01:59-03:30") == "2026-11-22 17:01 -03:30"
    assert moment("2026-11-22T17:01:59") == "2026-11-22 17:01"
