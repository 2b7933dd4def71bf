import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from corpora.errors import SourceError
from corpora.sources.youtube.api import TransientCallError
from corpora.sources.youtube.quota import Bucket, Quota, QuotaError
from corpora.sources.youtube.responses import Fault
from tests.corpora.sources.youtube.server import KEY
from tests.processes import DEADLINE_SECONDS

REFUSED = Fault(text="HTTP 503", reasons=frozenset({"backendError"}), is_transient=True)
LIMITS: dict[Bucket, int] = {"search": 3, "other": 5}
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


class Time:
    now = NOON


def quota_in(directory, time=None, key=KEY, limits=LIMITS):
    time = time or Time()
    return Quota.of_key(SecretStr(key), directory, limits, lambda: time.now)


def ledgers(directory):
    return sorted(directory.glob("youtube-quota-*.json"))


def test_it_stops_before_the_limit_and_says_when_it_goes_on(tmp_path):
    quota = quota_in(tmp_path)
    for _ in range(3):
        quota.spend("search")
    with pytest.raises(QuotaError, match=r"3 of 3 search calls\).*after 2026-11-23 08:00 UTC") as e:
        quota.spend("search")
    assert e.value.resumes == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert quota.balance("search").spent == 3


def test_the_buckets_are_apart(tmp_path):
    quota = quota_in(tmp_path)
    for _ in range(3):
        quota.spend("search")
    quota.spend("other")
    assert [quota.balance(bucket).left for bucket in LIMITS] == [0, 4]


def test_what_was_spent_is_on_the_disk_before_the_request_is_sent(tmp_path):
    quota_in(tmp_path).spend("other")
    assert quota_in(tmp_path).balance("other").spent == 1


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
    assert quota.balance("search").spent == 1


@pytest.mark.parametrize(
    ("now", "resets"),
    [
        (datetime(2026, 10, 31, 12, tzinfo=UTC), datetime(2026, 11, 1, 7, tzinfo=UTC)),
        (datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
def test_the_day_of_the_clock_change_has_its_true_length(tmp_path, now, resets):
    time = Time()
    time.now = now
    assert quota_in(tmp_path, time).resets == resets


def test_a_refusal_of_the_server_costs_nothing_and_closes_the_day(tmp_path):
    quota = quota_in(tmp_path)
    quota.spend("other")
    day = quota.spend("other")
    assert "1 of 5 units, refused by the server" in str(quota.refused("other", day))
    with pytest.raises(QuotaError):
        quota_in(tmp_path).spend("other")
    balance = quota.balance("other")
    assert (balance.spent, balance.left, balance.refused) == (1, 0, True)
    quota.spend("search")


def test_a_request_that_was_never_sent_is_given_back(tmp_path):
    quota = quota_in(tmp_path)
    quota.give_back("other", quota.spend("other"))
    assert quota_in(tmp_path).balance("other").spent == 0


def test_what_was_spent_before_midnight_is_settled_with_that_day(tmp_path):
    time = Time()
    time.now = datetime(2026, 11, 23, 7, 59, tzinfo=UTC)
    quota = quota_in(tmp_path, time)
    sent, unsent = quota.spend("search"), quota.spend("other")
    time.now += timedelta(minutes=2)
    assert quota.refused("search", sent).resumes == datetime(2026, 11, 23, 8, tzinfo=UTC)
    quota.give_back("other", unsent)
    assert [quota.balance(bucket).left for bucket in LIMITS] == [3, 5]


def test_all_who_use_a_key_share_its_day_and_other_keys_have_their_own(tmp_path):
    quota_in(tmp_path, limits={"search": 3, "other": 2}).spend("other")
    quota_in(tmp_path).spend("other")
    with pytest.raises(QuotaError, match="2 of 2 units"):
        quota_in(tmp_path, limits={"search": 3, "other": 2}).spend("other")
    assert quota_in(tmp_path, key="another").balance("other").left == 5
    quota_in(tmp_path, key="another").spend("other")
    assert len(ledgers(tmp_path)) == 2


def test_the_ledger_is_its_owners_alone_and_does_not_tell_the_key(tmp_path):
    folder = tmp_path / "state"
    quota_in(folder).spend("other")
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert KEY.encode() not in path.read_bytes() + path.name.encode()
    quota_in(tmp_path / "other").spend("other")
    assert ledgers(folder)[0].name != ledgers(tmp_path / "other")[0].name


def test_processes_that_share_a_key_never_spend_more_than_there_is(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.corpora.sources.youtube.test_quota import QuotaError, quota_in\n"
        "quota, sent = quota_in(Path(sys.argv[1]), limits={'search': 3, 'other': 250}), 0\n"
        "try:\n"
        "    while quota.spend('other'): sent += 1\n"
        "except QuotaError: print(sent)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "state")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sent = [int(process.communicate(timeout=DEADLINE_SECONDS)[0]) for process in both]
    assert sum(sent) == 250
    assert len(ledgers(tmp_path / "state")) == 1


def test_old_days_leave_the_ledger(tmp_path):
    time = Time()
    for _ in range(40):
        quota_in(tmp_path, time).spend("other")
        time.now += timedelta(days=1)
    (path,) = ledgers(tmp_path)
    assert len(json.loads(path.read_text())) == 31


def test_a_balance_changes_nothing(tmp_path):
    assert quota_in(tmp_path).balance("search").left == 3
    assert ledgers(tmp_path) == []


def test_a_ledger_that_is_none_and_a_folder_that_cannot_be_are_one_clear_line(tmp_path):
    quota_in(tmp_path).spend("other")
    (path,) = ledgers(tmp_path)
    path.write_text("{")
    with pytest.raises(SourceError, match="not a quota ledger; delete it"):
        quota_in(tmp_path).spend("other")
    with pytest.raises(SourceError, match="set CHARMILL_STATE to a folder"):
        quota_in(path)


@pytest.mark.parametrize("error", [QuotaError("spent", NOON), TransientCallError(REFUSED)])
def test_an_error_comes_back_whole_from_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
