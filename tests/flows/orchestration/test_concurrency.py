"""Retries, outcomes of reports, and how long a cancelled run may take."""

import fcntl
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from corpora.errors import CorpusError, SourceError
from corpora.sources.youtube.quota import QuotaError
from flows.errors import OptionError
from flows.orchestration.concurrency import _locked, is_transient, training_slot
from flows.orchestration.events import outcome_of
from flows.progress import LogReporter
from flows.stages.devices import device_name
from flows.store.runs import Store
from tests.processes import DEADLINE_SECONDS


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
    ("report", "outcome"),
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
def test_only_a_significant_change_is_better_or_worse(report, outcome):
    assert outcome_of(report) == outcome


STUCK = """
import signal, sys, time
from flows.stages.signals import end_within
signal.signal(signal.SIGTERM, lambda *_: None)
if sys.argv[1] == "guarded":
    end_within(0.2)
print("ready", flush=True)
left = float(sys.argv[2])
while left > 0:
    time.sleep(0.1)
    left -= 0.1
"""


@pytest.mark.parametrize(
    ("guard", "stays", "status"), [("guarded", DEADLINE_SECONDS, -signal.SIGKILL), ("free", 1, 0)]
)
def test_a_process_that_ignores_the_wish_to_stop_is_ended_by_force(guard, stays, status):
    command = [sys.executable, "-c", STUCK, guard, str(stays)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == status


class Listening(LogReporter):
    """Records what is reported."""

    def __init__(self):
        super().__init__()
        self.said = threading.Event()
        self.lines = []

    def say(self, line):
        self.lines.append(line)
        self.said.set()


HOLD = """
import sys
from pathlib import Path
from flows.store.runs import Store
from flows.orchestration.concurrency import training_slot
from flows.progress import LogReporter
with training_slot("cpu", Store(Path(sys.argv[1])), LogReporter()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def training(tmp_path):
    """A process that trains on the CPU until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("end", ["left", "killed"])
def test_a_training_of_the_command_line_waits_for_another_on_its_device(training, tmp_path, end):
    reporter, entered = Listening(), threading.Event()

    def train():
        with training_slot("cpu", Store(tmp_path), reporter):
            entered.set()

    waiting = threading.Thread(target=train, daemon=True)
    waiting.start()
    assert reporter.said.wait(DEADLINE_SECONDS)
    assert reporter.lines == ["waiting for cpu: another training is using it"]
    assert not entered.is_set()
    training.kill() if end == "killed" else training.stdin.close()
    assert entered.wait(DEADLINE_SECONDS)


def test_served_trainings_share_a_device_and_the_command_line_waits_for_them(tmp_path):
    store, reporter, entered = Store(tmp_path), Listening(), threading.Event()

    def train():
        with training_slot("cpu", store, reporter):
            entered.set()

    waiting = threading.Thread(target=train, daemon=True)
    with _locked("cpu", store, fcntl.LOCK_SH, Listening()):
        second = Listening()
        with _locked("cpu", store, fcntl.LOCK_SH, second):
            assert not second.lines
            waiting.start()
            assert reporter.said.wait(DEADLINE_SECONDS)
        assert not entered.wait(0.2)
    assert entered.wait(DEADLINE_SECONDS)


def test_trainings_on_other_devices_or_for_other_roots_wait_for_nobody(training, tmp_path):
    for device, root in (("cuda:0", tmp_path), ("cpu", tmp_path / "other")):
        reporter = Listening()
        with training_slot(device, Store(root), reporter):
            assert not reporter.lines
    assert training.poll() is None


@pytest.mark.slow
def test_a_device_is_named_without_torch_in_this_process():
    script = "import sys; from flows.stages.devices import device_name; "
    script += "print(device_name('cpu'), 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "cpu False\n"
    with pytest.raises(OptionError, match="CHARMILL_DEVICE: unknown device 'tpu'"):
        device_name("tpu")
