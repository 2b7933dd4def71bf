"""Runs that wait for a device are rows of a real server, and get their turn in order."""

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from flows.orchestration.waiting.order import PREPARING
from tests.flows.serving import Serving
from tests.processes import descendants, until

LIMIT = "training-on-cpu"
NAMES = ("first", "second", "third", "fourth")


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    home = Serving(tmp_path_factory.mktemp("waiting"))
    for name in NAMES:
        home.add_dataset(name)
    home.start()
    yield home
    home.stop()


@contextmanager
def device_in_use(serving):
    """Hold the only slot of the device, as a training elsewhere does."""
    asked = {"names": [LIMIT], "slots": 1, "mode": "concurrency", "lease_duration": 3600}
    lease = serving.api("POST", "v2/concurrency_limits/increment-with-lease", asked)["lease_id"]
    yield
    body = {"lease_id": lease}
    serving.api("POST", "v2/concurrency_limits/decrement-with-lease", body)


def run_processes(serving):
    """The processes that the runner has started for runs, without children of theirs."""
    found = set()
    for pid in descendants(serving.process.pid):
        with suppress(OSError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if parent == serving.process.pid and b"prefect.engine" in command:
                found.add(pid)
    return found


def trained_at(serving, run):
    """When the run began to train."""
    body = {"task_runs": {"name": {"like_": "train "}}, "flow_runs": {"id": {"any_": [run]}}}
    (task,) = serving.api("POST", "task_runs/filter", body)
    return task["start_time"]


@pytest.mark.slow
def test_runs_that_wait_are_rows_and_have_their_turn_in_order(serving):
    short = {"budget": "3kchars"}
    with device_in_use(serving):
        runs = {name: serving.run(f"pipeline/{name}", **short, dataset=name) for name in NAMES}
        again = [serving.run("pipeline/first", **short, dataset="first") for _ in range(2)]
        other = serving.run("pipeline/first", dataset="first", budget="2kchars")
        most = 0

        def all_wait():
            nonlocal most
            most = max(most, len(run_processes(serving)))
            time.sleep(0.3)
            states = [serving.state(run) for run in runs.values()]
            return all(
                (s["name"], s["message"])
                == ("AwaitingConcurrencySlot", f"waiting for a slot of {LIMIT}")
                for s in states
            )

        until(all_wait)
        assert 1 <= most <= PREPARING
        until(lambda: not run_processes(serving))

        for run in again:
            assert serving.ended(run)["type"] == "CANCELLED"
            assert serving.state(run)["message"].startswith("joined to the run ")
        behind = "waiting for the run pipeline first: 3kchars of the same dataset"
        until(lambda: serving.state(other)["message"] == behind)
        assert serving.state(other)["name"] == "AwaitingConcurrencySlot"

        plan = serving.run("pipeline/tiny", dataset="tiny", plan_only=True)
        assert serving.ended(plan)["type"] == "COMPLETED"

        serving.set_state(runs["third"], "CANCELLING")
        assert serving.ended(runs["third"])["type"] == "CANCELLED"

        pause = {"state": {"type": "PAUSED", "name": "Suspended"}}
        refused = serving.api("POST", f"flow_runs/{runs['first']}/set_state", pause)
        assert refused["status"] == "REJECT"  # so one cancels it, and retries it later
        serving.set_state(runs["first"], "CANCELLING")
        assert serving.ended(runs["first"])["type"] == "CANCELLED"
        until(lambda: serving.state(other)["message"] != behind)

        serving.stop(signal.SIGKILL)
        serving.start()
        time.sleep(3)
        assert not run_processes(serving)
        serving.set_state(runs["first"], "SCHEDULED")
        slot = f"waiting for a slot of {LIMIT}"
        until(lambda: serving.state(runs["first"])["message"] == slot)

    finished = [runs["first"], runs["second"], runs["fourth"], other]
    for run in finished:
        assert serving.ended(run)["type"] == "COMPLETED", serving.logs(run)
    starts = [trained_at(serving, run) for run in finished[:3]]
    assert starts == sorted(starts)
    assert trained_at(serving, other) > starts[0]


@pytest.mark.slow
def test_the_device_of_a_killed_training_is_given_to_the_next(serving):
    held = serving.run("pipeline/first", dataset="first", budget="2h")
    until(lambda: serving.api("GET", f"v2/concurrency_limits/{LIMIT}")["active_slots"])
    next_one = serving.run("pipeline/second", dataset="second", budget="2kchars")
    waiting = f"waiting for a slot of {LIMIT}"
    until(lambda: serving.state(next_one)["message"] == waiting)
    until(lambda: len(run_processes(serving)) == 1)
    (process,) = run_processes(serving)
    os.kill(process, signal.SIGKILL)
    assert serving.ended(held)["type"] == "CRASHED"
    assert serving.ended(next_one)["type"] == "COMPLETED"
    serving.set_state(held, "SCHEDULED")
    until(lambda: serving.state(held)["type"] == "RUNNING")
    serving.set_state(held, "CANCELLING")
    assert serving.ended(held)["type"] == "CANCELLED"
