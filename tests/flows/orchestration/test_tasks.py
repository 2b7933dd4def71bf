"""Runs started by Prefect: cancel, retry, crash, limits, secrets; all under `charmill serve`."""

import gzip
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from flows.server.prefect_settings import HEARTBEAT_SECONDS
from tests.flows.serving import Serving
from tests.processes import alive, descendants, until

CANARIES = {
    "CHARMILL_YOUTUBE_KEY": "canary-youtube-0b5f",
    "CHARMILL_GITHUB_TOKEN": "canary-github-77c1",
    "GITHUB_TOKEN": "canary-token-19ae",
}
LONG = {"budget": "10m", "overrides": ["train.checkpoint_seconds=600"]}
"""A training that would end long after its test, and writes a checkpoint only when stopped."""
AT_ONCE = 60
"""Seconds: far less than the training, and than the heartbeats by which a server misses a run."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A running server with secrets in its environment."""
    home = Serving(tmp_path_factory.mktemp("followed"), environment=CANARIES)
    home.start()
    yield home
    if home.process:
        home.stop()


def training(serving, **parameters) -> tuple[str, set[int]]:
    """A run whose training has started, and its processes."""
    assert serving.process
    before = descendants(serving.process.pid)
    run = serving.run("pipeline/tiny", **(LONG | parameters))

    def trains():
        body = {"artifacts": {"flow_run_id": {"any_": [run]}, "type": {"any_": ["progress"]}}}
        bars = serving.api("POST", "artifacts/filter", body)
        return [bar for bar in bars if bar["description"].startswith("train: ")]

    until(trains)
    return run, descendants(serving.process.pid) - before


def errors_of(serving, run) -> list[str]:
    body = {"logs": {"flow_run_id": {"any_": [run]}, "level": {"ge_": logging.ERROR}}}
    return [row["message"] for row in serving.api("POST", "logs/filter", body)]


def work_folders(serving) -> list:
    return sorted((serving.artifacts / "train" / "tiny").glob(".work-*"))


def test_a_cancelled_training_leaves_a_checkpoint_and_no_process(serving):
    run, processes = training(serving)
    assert processes
    serving.set_state(run, "CANCELLING")
    until(lambda: not alive(processes), AT_ONCE)
    assert serving.ended(run)["type"] == "CANCELLED"
    (left,) = work_folders(serving)
    assert list((left / "checkpoints").iterdir())
    said = until(lambda: [line for line in serving.logs(run) if line.startswith("stopped:")])
    assert set(said) == {"stopped: the run was cancelled"}
    assert "Crash" not in "\n".join(serving.logs(run))
    assert not errors_of(serving, run)


def test_a_deleted_training_ends_as_a_cancelled_one_does(serving):
    before = set(work_folders(serving))
    run, processes = training(serving, overrides=["train.seed=13", *LONG["overrides"]])
    serving.api("DELETE", f"flow_runs/{run}")
    until(lambda: not alive(processes), AT_ONCE)
    (left,) = set(work_folders(serving)) - before
    assert list((left / "checkpoints").iterdir())
    assert "stopped: the run was deleted" in (serving.root / "serve.log").read_text()
    assert not serving.artifacts_of("report-tiny")
    log = (serving.artifacts / ".prefect" / "server.log").read_text()
    assert "FOREIGN KEY" not in log
    assert "UNIQUE constraint" not in log


def test_the_end_of_a_task_of_a_deleted_run_is_one_line_of_the_log(serving):
    flow_run, task_run = f"{uuid4()}", f"{uuid4()}"
    state = {"type": "COMPLETED", "name": "Completed", "message": "", "state_details": {}}
    event = {
        "id": f"{uuid4()}",
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.task-run.Completed",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task_run}",
            "prefect.orchestration": "client",
        },
        "related": [
            {
                "prefect.resource.id": f"prefect.flow-run.{flow_run}",
                "prefect.resource.role": "flow-run",
            }
        ],
        "payload": {
            "validated_state": state,
            "task_run": {"name": "train", "task_key": "stage", "dynamic_key": "0"},
        },
    }
    serving.api("POST", "events", [event])
    path = serving.artifacts / ".prefect" / "server.log"
    until(lambda: "as their runs were deleted: 1" in path.read_text())
    assert "Traceback" not in path.read_text()


def test_a_short_run_is_not_taken_for_one_that_has_died(serving):
    runs = [serving.run("fetch/any-dataset", dataset="tiny", plan_only=True) for _ in range(3)]
    for run in runs:
        assert serving.ended(run)["type"] == "COMPLETED"
    time.sleep(3)
    with sqlite3.connect(serving.artifacts / ".prefect" / "prefect.db") as connection:
        waiting = connection.execute("SELECT bucketing_key, count FROM automation_bucket")
        still_expected = [key for key, count in waiting if count < 1]
    assert not [run for run in runs if run in "".join(still_expected)]


def test_retry_of_a_cancelled_run_goes_on_at_the_checkpoint(serving):
    run, _ = training(serving, overrides=["train.seed=3", *LONG["overrides"]], budget="20s")
    serving.set_state(run, "CANCELLING")
    assert serving.ended(run)["type"] == "CANCELLED"
    serving.set_state(run, "SCHEDULED")
    until(lambda: serving.state(run)["type"] not in ("CANCELLED", "CANCELLING"))
    assert serving.ended(run)["type"] == "COMPLETED"
    manifest = json.loads((serving.artifacts / "train/tiny/latest/manifest.json").read_text())
    assert manifest["attempts"] == 2
    plan = serving.artifacts_of("plan-tiny")[0]["data"]
    assert "resumes an interrupted run" in plan
    assert "train of tiny: resumes an interrupted run, attempt 2" in serving.logs(run)


def test_retry_of_a_forced_run_does_not_force_what_it_made_already(serving):
    run, _ = training(serving, force=True, overrides=["train.seed=4"], budget="15s")
    made = len(list((serving.artifacts / "fetch" / "tiny").glob("[!.l]*")))
    serving.set_state(run, "CANCELLING")
    serving.ended(run)
    serving.set_state(run, "SCHEDULED")
    until(lambda: serving.state(run)["type"] not in ("CANCELLED", "CANCELLING"))
    assert serving.ended(run)["type"] == "COMPLETED"
    assert len(list((serving.artifacts / "fetch" / "tiny").glob("[!.l]*"))) == made
    manifest = json.loads((serving.artifacts / "train/tiny/latest/manifest.json").read_text())
    assert manifest["attempts"] == 2


def test_two_trainings_of_a_dataset_follow_each_other(serving):
    first, _ = training(serving, overrides=["train.seed=5", *LONG["overrides"]])
    second = serving.run("train/any-dataset", dataset="tiny", overrides=["train.seed=6"])
    waits = until(lambda: (serving.state(second)["message"] or "").startswith("waiting"))
    assert waits
    time.sleep(5)
    assert serving.state(second)["name"] == "AwaitingConcurrencySlot"
    serving.set_state(first, "CANCELLING")
    assert serving.ended(first)["type"] == "CANCELLED"
    assert serving.ended(second)["type"] == "COMPLETED"


def test_a_paused_training_gives_its_process_back_and_continues_at_the_checkpoint(serving):
    """The UI pauses a running run with `force`, and resumes it with a request of its own."""
    seed = ["train.seed=14", *LONG["overrides"]]
    run, processes = training(serving, overrides=seed, budget="20s")
    pause = {"pause_reschedule": True, "pause_timeout": "2100-01-01T00:00:00Z"}
    state = {"type": "PAUSED", "name": "Suspended", "state_details": pause}
    serving.api("POST", f"flow_runs/{run}/set_state", {"state": state, "force": True})
    until(lambda: not alive(processes), AT_ONCE)
    until(lambda: not serving.api("GET", "v2/concurrency_limits/training-on-cpu")["active_slots"])
    assert serving.state(run)["name"] == "Suspended"
    assert not errors_of(serving, run)
    serving.api("POST", f"flow_runs/{run}/resume", {})
    assert serving.ended(run)["type"] == "COMPLETED"
    assert "train of tiny: resumes an interrupted run, attempt 2" in serving.logs(run)


def test_a_training_of_the_command_line_waits_for_one_that_is_served(serving):
    run, _ = training(serving, overrides=["train.seed=11", *LONG["overrides"]])
    command = [sys.executable, "-m", "flows.cli", "run", "tiny", "--only", "train"]
    with subprocess.Popen(
        [*command, "--set", "train.seed=12"],
        env=os.environ | serving.home(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        lines = iter(process.stderr)
        assert any(line.startswith("waiting for cpu: another training") for line in lines)
        serving.set_state(run, "CANCELLING")
        assert "started" in next(lines)
        process.stderr.read()
    assert process.returncode == 0


def test_no_secret_of_the_environment_is_kept_anywhere(serving):
    assert serving.ended(serving.run("pipeline/tiny"))["type"] == "COMPLETED"
    time.sleep(3)
    database = serving.artifacts / ".prefect" / "prefect.db"
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    assert "train of tiny: started" in dump
    files = [path for path in serving.root.rglob("*") if path.is_file()]
    assert any(path.name == "server.log" for path in files)
    for secret in CANARIES.values():
        assert secret not in dump
        for path in files:
            data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            assert secret.encode() not in data, path


def test_a_run_that_is_killed_crashes_at_once(serving):
    run, processes = training(serving, overrides=["train.seed=10"])
    for process in processes:
        os.kill(process, signal.SIGKILL)
    assert serving.ended(run, AT_ONCE)["type"] == "CRASHED"


def test_serving_that_is_killed_takes_its_runs_with_it_and_retry_goes_on(serving):
    run, processes = training(serving, overrides=["train.seed=9"], budget="20s")
    below = serving.stop(signal.SIGKILL)
    assert processes <= below
    until(lambda: not alive(below), 12)
    serving.start()
    state = serving.ended(run)
    assert state["type"] == "CRASHED"
    serving.set_state(run, "SCHEDULED")
    until(lambda: serving.state(run)["type"] != "CRASHED")
    assert serving.ended(run)["type"] == "COMPLETED"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_serving_that_is_stopped_leaves_no_run_that_seems_to_run(serving, ending):
    run, _ = training(serving, overrides=[f"train.seed={20 + ending.value}"], budget="10m")
    time.sleep(1.5 * HEARTBEAT_SECONDS)  # for the second heartbeat
    below = serving.stop(ending)
    until(lambda: not alive(below))
    serving.start()
    assert serving.ended(run)["type"] == "CRASHED"
