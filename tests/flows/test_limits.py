"""What is worth another try, what counts as news, and how long a cancelled run may take."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from corpora.errors import CorpusError, SourceError
from corpora.sources.quota import QuotaError
from flows.limits import is_transient
from flows.news import news_of
from flows.run import OptionError


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("gone"),
        TimeoutError("late"),
        SourceError("x: unable to access 'https://h/': Could not resolve host: h"),
        SourceError("x: unable to access 'https://h/': The requested URL returned error: 503"),
        SourceError("x: RPC failed; curl 56 Recv failure: Connection reset by peer"),
        SourceError("x: the remote end hung up unexpectedly"),
    ],
)
def test_a_network_that_failed_is_worth_another_try(error):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        SourceError("x: The requested URL returned error: 404"),
        SourceError("/code: no such folder"),
        OptionError("no preset 'huge'"),
        CorpusError("kept 0 of 9 files"),
        QuotaError("the quota of today is spent", datetime.now(UTC)),
        RuntimeError("timed out"),
        MemoryError(),
    ],
)
def test_a_mistake_or_a_spent_quota_is_not(error):
    assert not is_transient(error)


def report(low, high):
    bits = {"unit": "bits", "interval": [low, high]}
    return {"change": {"changes": [bits, {"unit": "share", "interval": [0.5, 0.6]}]}}


@pytest.mark.parametrize(
    ("report", "news"),
    [
        ({}, "first"),
        ({"change": None}, "first"),
        ({"change": {"changes": []}}, "unchanged"),
        ({"change": {"changes": [{"unit": "bits", "interval": None}]}}, "unchanged"),
        (report(0.01, 0.02), "worse"),
        (report(-0.02, -0.01), "better"),
        (report(-0.01, 0.02), "unchanged"),
    ],
)
def test_only_a_change_beyond_chance_is_news(report, news):
    assert news_of(report) == news


STUCK = """
import signal, sys, time
from flows.signals import end_within
signal.signal(signal.SIGTERM, lambda *_: None)
if sys.argv[1] == "guarded":
    end_within(0.5)
print("ready", flush=True)
end = time.monotonic() + 5
while time.monotonic() < end:
    time.sleep(0.1)
"""


@pytest.mark.parametrize(("guard", "status"), [("guarded", -signal.SIGKILL), ("free", 0)])
def test_a_process_that_ignores_the_wish_to_stop_is_ended_by_force(guard, status):
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, guard], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.terminate()
        assert process.wait(20) == status
        assert (time.monotonic() - began < 3) == (status != 0)
