import logging
import traceback
from types import SimpleNamespace

import pytest

from corpora.errors import SourceError
from corpora.sources.youtube.api import _answer
from corpora.sources.youtube.quota import QuotaError
from corpora.sources.youtube.store import Video
from tests.corpora.sources.youtube.run import hold
from tests.corpora.sources.youtube.server import KEY, RESET, error

TRANSIENT = {
    "too many requests": error(429, "rateLimitExceeded"),
    "too fast": error(403, "userRateLimitExceeded"),
    "server error": error(500, "backendError"),
    "unavailable, no JSON": (503, b"<html>busy</html>"),
    "half a body": (200, b'{"items": [{"id": '),
    "no object": (200, b"[]"),
    "no items": (200, b"{}"),
    "a thread without text": (200, b'{"items": [{"id": "x", "snippet": {}}]}'),
    "no UTF-8": (200, b'{"items": "\xff"}'),
    "a refusal that the client cannot read": (403, b'{"error": 5}'),
    "a refusal that is a list": (403, b"[]"),
    "no answer at all": None,
    "a connection reset within the body": (RESET, b'{"items": ['),
}


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_may_pass_is_tried_again_after_a_pause(collection, name):
    hold(collection, 2, 2)
    collection.server.plan = {1: TRANSIENT[name], 2: TRANSIENT[name]}
    collection.run()
    assert collection.outcomes() == ["ok", "ok"]
    assert len(collection.pauses) == 2
    assert collection.ledger() == [(1, 4)]


@pytest.mark.parametrize("name", TRANSIENT)
def test_what_does_not_pass_is_an_error_of_this_video_alone(collection, name):
    one, _ = hold(collection, 2, 2)
    collection.server.plan = dict.fromkeys(range(1, 6), TRANSIENT[name])
    collection.run()
    assert collection.outcomes() == ["error", "ok"]
    assert Video.load(collection.directory, one).detail
    collection.run()
    assert collection.outcomes() == ["ok", "ok"]
    assert collection.ledger() == [(1, 7)]


def test_a_daily_limit_in_todays_words_is_a_quota_and_not_a_hurry(collection):
    hold(collection, 1)
    words = "Quota exceeded for quota metric 'Search Queries' and limit 'per day'"
    collection.server.plan = {0: error(429, "rateLimitExceeded", words)}
    with pytest.raises(QuotaError):
        collection.run()
    assert collection.pauses == []
    collection.server.spent[0, "search"] -= 1  # a refusal costs no quota


def test_a_server_that_fails_for_every_video_is_not_asked_about_all_of_them(collection):
    hold(collection, *[1] * 50)
    collection.server.plan = dict.fromkeys(range(1, 100), error(500, "backendError"))
    with pytest.raises(SourceError, match="3 videos in a row failed, the last one by HTTP 500"):
        collection.run()
    assert collection.ledger() == [(1, 15)]
    collection.server.plan = {}
    collection.run()
    assert set(collection.outcomes()) == {"ok"}


def test_a_refused_key_is_one_line_and_no_second_attempt(collection):
    collection.server.plan = {0: error(400, "keyInvalid", "API key not valid.\nPass a valid one.")}
    with pytest.raises(SourceError, match=r"HTTP 400 keyInvalid: API key not valid. Pass") as e:
        collection.run()
    assert "\n" not in str(e.value)
    assert collection.ledger() == [(1, 0)]


def test_a_redirect_is_not_followed_with_the_key(collection):
    hold(collection, 1)
    collection.server.plan = {0: (302, b"")}
    with pytest.raises(SourceError, match="HTTP 302"):
        collection.run()
    assert len(collection.server.log) == 1


def test_a_server_that_is_not_there_costs_no_quota(collection):
    url, collection.server.url = collection.server.url, "http://127.0.0.1:9/"
    with pytest.raises(SourceError, match="no answer"):
        collection.run()
    assert (len(collection.pauses), collection.ledger()) == (4, [(0, 0)])
    collection.server.url = url
    hold(collection, 1)
    collection.run()


FAULTS = {**TRANSIENT, "refusal": error(403, "forbidden"), "key": error(400, "keyInvalid")}


def shown(caught):
    """An error with its causes and all local variables, from where the tests' own frames end."""
    trace = caught.__traceback__
    while "/tests/" in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    report = traceback.TracebackException(type(caught), caught, trace, capture_locals=True)
    return "".join(report.format())


@pytest.mark.parametrize("name", FAULTS)
def test_the_key_is_in_no_file_log_record_or_traceback(collection, caplog, name):
    caplog.set_level(logging.DEBUG)
    hold(collection, 1, 1, 1, 1)
    said = []
    for first in (0, 1):
        begin = len(collection.server.log) + first
        collection.server.plan = dict.fromkeys(range(begin, begin + 15), FAULTS[name])
        try:
            collection.run()
        except SourceError as caught:
            said += [str(caught), repr(caught), shown(caught)]
    assert len(said) == 6
    assert "list_videos" in said[2]
    files = [path for path in collection.directory.parent.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert KEY.encode() not in path.read_bytes() + str(path).encode(), path
    for record in caplog.records:
        assert KEY not in record.getMessage() + repr(record.__dict__)
    assert KEY not in "".join(said)
    collection.server.plan = {}
    collection.run()
    assert set(collection.outcomes()) == {"ok"}


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "forbidden"), (400, "processingFailure"), (404, "gone")]
)
def test_videos_that_are_refused_one_by_one_stop_nothing(collection, status, reason):
    hold(collection, *[1] * 12)
    collection.server.plan = {n: error(status, reason) for n in (5, 6, 7, 8)}
    collection.run()
    assert collection.outcomes() == ["ok"] * 4 + ["refused"] * 4 + ["ok"] * 4
    collection.run()
    assert collection.ledger() == [(1, 12)]


@pytest.mark.parametrize("reason", ["forbidden", "accessNotConfigured"])
def test_a_key_that_gets_no_video_at_all_stops_and_asks_for_all_again(collection, reason):
    hold(collection, *[reason] * 4)
    with pytest.raises(SourceError, match=rf"last one by HTTP 403 {reason}"):
        collection.run()
    hold(collection, *[1] * 4)
    collection.run()
    assert collection.outcomes() == ["ok"] * 4


def test_videos_that_were_never_asked_come_before_those_that_failed(collection):
    names = hold(collection, *[1] * 6)
    collection.server.plan = {n: error(403, "accessNotConfigured") for n in (1, 2, 3)}
    with pytest.raises(SourceError, match="3 videos in a row"):
        collection.run()
    collection.run()
    assert [name for name, _ in collection.server.asked("commentThreads")] == [
        *names[:3],
        *names[3:],
        *names[:3],
    ]


def test_a_bug_of_ours_is_no_unreadable_answer():
    def unreadable(**_options):
        raise TypeError("from a library")

    fault = _answer(SimpleNamespace(execute=unreadable))
    assert str(fault) == "unreadable answer (TypeError)"
    with pytest.raises(TypeError, match="invalid keyword argument"):
        _answer(SimpleNamespace(execute=int))
