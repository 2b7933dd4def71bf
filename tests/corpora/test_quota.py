from datetime import UTC, datetime, timedelta

import pytest

from corpora.sources.quota import Bucket, Quota, QuotaError, next_day

LIMITS: dict[Bucket, int] = {"search": 3, "other": 5}
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


class Time:
    now = NOON


def quota_in(directory, time=None):
    time = time or Time()
    return Quota(directory, LIMITS, lambda: time.now)


def test_it_stops_before_the_limit_and_says_when_it_goes_on(tmp_path):
    quota = quota_in(tmp_path)
    for _ in range(3):
        quota.spend("search")
    with pytest.raises(QuotaError, match=r"3 of 3 search calls\).*after 2026-11-23 08:00 UTC") as e:
        quota.spend("search")
    assert e.value.resumes == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert quota.spent("search") == 3


def test_the_buckets_are_apart(tmp_path):
    quota = quota_in(tmp_path)
    for _ in range(3):
        quota.spend("search")
    quota.spend("other")
    assert (quota.spent("search"), quota.spent("other")) == (3, 1)


def test_what_was_spent_is_on_the_disk_before_the_request_is_sent(tmp_path):
    quota_in(tmp_path).spend("other")
    assert quota_in(tmp_path).spent("other") == 1


def test_a_new_day_begins_at_midnight_pacific_time(tmp_path):
    time = Time()
    quota = quota_in(tmp_path, time)
    for _ in range(3):
        quota.spend("search")
    time.now = datetime(2026, 11, 23, 7, 59, tzinfo=UTC)
    with pytest.raises(QuotaError):
        quota.spend("search")
    time.now += timedelta(minutes=1)
    quota.spend("search")
    assert quota.spent("search") == 1


def test_the_day_of_the_clock_change_has_its_true_length():
    assert next_day(datetime(2026, 10, 31, 12, tzinfo=UTC)) == datetime(2026, 11, 1, 7, tzinfo=UTC)
    assert next_day(datetime(2026, 11, 1, 12, tzinfo=UTC)) == datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_a_refusal_of_the_server_costs_nothing_and_closes_the_day(tmp_path):
    quota = quota_in(tmp_path)
    quota.spend("other")
    quota.spend("other")
    assert "1 of 5 units, refused by the server" in str(quota.refused("other"))
    with pytest.raises(QuotaError):
        quota_in(tmp_path).spend("other")
    quota.spend("search")


def test_a_request_that_was_never_sent_is_given_back(tmp_path):
    quota = quota_in(tmp_path)
    quota.spend("other")
    quota.give_back("other")
    assert quota_in(tmp_path).spent("other") == 0
