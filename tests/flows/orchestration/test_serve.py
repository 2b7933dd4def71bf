"""What `charmill serve` guarantees about its server, and about settings made in the UI."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from flows.errors import StageError
from flows.server.process import api_of, check_address, check_server, own_api
from flows.store.runs import Store
from tests.flows.retention.stores import chain, everything
from tests.flows.serving import Serving, free_port
from tests.processes import alive, until


def test_a_taken_port_is_said_in_one_line(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        environment = os.environ | {"CHARMILL_ARTIFACTS": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"charmill: --port {port}: cannot listen on 127.0.0.1 (Address already in use); "
        "choose another --port\n"
    )


def test_a_wrong_list_of_names_is_said_in_one_line(tmp_path):
    environment = os.environ | {"CHARMILL_ARTIFACTS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "serve", "--port", str(free_port())],
        env=environment | {"CHARMILL_SERVER_HOSTS": "https://mill.example.org"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "charmill: CHARMILL_SERVER_HOSTS: 'https://mill.example.org' is not a host name; expected "
        "names or addresses without scheme or port, separated by commas\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--port", "80000"), "Invalid value for '--port': Input should be less than or equal"),
        (("--port", "0"), "Invalid value for '--port': Input should be greater than or equal to 1"),
        (("--port", "-1"), "Invalid value for '--port': Input should be greater than or equal"),
        (("--host", "mill..lan"), "--host 'mill..lan': not an address or a host name"),
        (("--host", "x" * 64), "not an address or a host name"),
    ],
)
def test_an_impossible_address_is_said_in_one_line(tmp_path, arguments, reason):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "serve", *arguments],
        env=os.environ | {"CHARMILL_ARTIFACTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("charmill: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("mill.lan", "mill.lan")]
)
def test_a_server_on_every_address_is_reached_at_the_loopback_one(host, reached):
    assert own_api(host, 4200) == f"http://{reached}:4200/api"


def test_a_server_is_named_with_or_without_its_api():
    assert api_of("http://host:4200") == api_of("http://host:4200/api/") == "http://host:4200/api"
    cloud = "https://api.example.org/api/accounts/1/workspaces/2"
    assert api_of(cloud) == cloud
    with pytest.raises(StageError, match=r"expected http://\.\.\. or https://"):
        api_of("host:4200")


def test_a_dead_server_is_said_in_one_line():
    with pytest.raises(StageError, match="no Prefect server answers at http"):
        check_server(f"http://127.0.0.1:{free_port()}/api")


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A running server; each test leaves it running."""
    home = Serving(tmp_path_factory.mktemp("served"))
    home.start()
    yield home
    home.stop()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_users_set_in_the_ui_survives_a_restart(serving, ending):
    name = "pipeline/tiny"
    path = f"deployments/{serving.deployment(name)['id']}"
    schedule = {
        "schedule": {"cron": f"0 {ending.value} * * 1", "timezone": "Europe/Zurich"},
        "active": True,
        "parameters": {"dataset": "tiny", "budget": "2h"},
    }
    resting = {"schedule": {"interval": 7200 + ending.value}, "active": False}
    assert len(serving.api("POST", f"{path}/schedules", [schedule, resting])) == 2
    mine = {"tags": ["mine"], "parameters": {"dataset": "tiny", "preset": "base"}}
    serving.api("PATCH", path, mine)
    serving.api(
        "POST", f"deployments/{serving.deployment('pipeline/torch')['id']}/pause_deployment"
    )
    before = [serving.deployment(n) for n in (name, "pipeline/torch", "train/any-dataset")]

    below = serving.stop(ending)
    until(lambda: not alive(below))
    serving.start()
    after = [serving.deployment(n) for n in (name, "pipeline/torch", "train/any-dataset")]
    for old, new in zip(before, after, strict=True):
        for key in ("schedules", "paused", "tags", "parameters", "concurrency_limit"):
            assert old[key] == new[key], key
    assert after[0]["schedules"][1]["parameters"]["budget"] == "2h"
    assert after[1]["paused"]
    assert not after[0]["paused"]


@pytest.mark.slow
def test_the_limit_of_the_device_is_there_before_anything_trains(serving):
    limit = serving.api("GET", "v2/concurrency_limits/training-on-cpu")
    assert (limit["limit"], limit["active"]) == (1, True)
    assert not (serving.artifacts / "train").exists()


@pytest.mark.slow
def test_the_port_of_a_server_that_runs_is_recognised(serving):
    with pytest.raises(StageError, match=f"use it with --server-url {serving.ui},"):
        check_address("127.0.0.1", serving.port)


@pytest.mark.slow
def test_a_server_that_runs_already_is_used_instead_of_our_own(serving, tmp_path):
    other = Serving(tmp_path / "other")
    other.add_dataset("elsewhere")
    other.port = serving.port
    other.environment = {"PREFECT_API_AUTH_STRING": serving.login}
    other.start(f', server_url="{serving.ui}"')
    assert "elsewhere" in str(serving.api("POST", "deployments/filter", {}))
    below = other.stop()
    assert serving.process
    assert serving.process.poll() is None
    until(lambda: not alive(below))
    assert serving.deployment("pipeline/elsewhere")["name"] == "elsewhere"


@pytest.mark.slow
def test_a_dataset_that_is_added_while_serving_shows_up(serving):
    serving.add_dataset("late")

    def choices():
        form = serving.deployment("corpus/any-dataset")["parameter_openapi_schema"]
        return "late" in form["properties"]["dataset"]["enum"]

    until(choices)
    assert serving.deployment("pipeline/late")["parameters"] == {"dataset": "late"}


@pytest.mark.slow
def test_the_corpora_of_many_datasets_are_built_from_one_form(serving):
    serving.add_dataset("second")

    def offered():
        form = serving.deployment("corpora/many-datasets")["parameter_openapi_schema"]
        return {"tiny", "second"} <= set(form["properties"]["datasets"]["items"]["enum"])

    until(offered)
    run = serving.run("corpora/many-datasets", datasets=["tiny", "second"], workers=2)
    assert serving.ended(run)["type"] == "COMPLETED"
    until(lambda: [x for x in serving.logs(run) if x.startswith("corpus of second: 60 doc")])
    for dataset in ("tiny", "second"):
        assert (serving.artifacts / "corpus" / dataset / "latest").exists()
        assert serving.artifacts_of(f"corpus-{dataset}")


@pytest.mark.slow
def test_old_runs_and_the_history_are_removed_from_a_form(serving):
    form = serving.deployment("gc/all-datasets")["parameter_openapi_schema"]["properties"]
    assert (form["keep_last"]["default"], form["older_than"]["default"]) == (3, "30d")
    store = Store(serving.artifacts)
    for number in range(5):
        chain(store, f"{number}", dataset="past", days=200 - number, latest=True)
    old = []
    for _ in range(2):
        old.append(serving.run("fetch/any-dataset", dataset="tiny", plan_only=True))
        assert serving.ended(old[-1])["type"] == "COMPLETED"
    with closing(sqlite3.connect(store.prefect_home / "prefect.db", timeout=60)) as database:
        database.execute("UPDATE flow_run SET end_time = '2020-01-01 00:00:00.000000'")
        database.commit()
    run = serving.run("gc/all-datasets")
    assert serving.ended(run)["type"] == "COMPLETED"
    (shown,) = serving.artifacts_of("gc")
    assert shown["data"].startswith("# Removed: 10 runs")
    assert "| past | train | 0t |" in shown["data"]
    assert {one.key for one in everything(store) if one.runs.dataset == "past"} == {
        f"{number}{stage}" for number in (2, 3, 4) for stage in "fctse"
    }
    # The newest version of plan-tiny belongs to the second run, so that one stays.
    left = {run["id"] for run in serving.api("POST", "flow_runs/filter", {})}
    assert old[0] not in left
    assert old[1] in left
    assert not serving.logs(old[0])


@pytest.mark.slow
def test_a_wrong_toml_hides_no_other_dataset(serving):
    wrong = serving.root / "datasets" / "wrong.toml"
    wrong.write_text("title = 3")
    serving.stop()
    try:
        serving.start()
        assert "tiny" in str(serving.deployment("fetch/any-dataset"))
        assert "wrong.toml" in (serving.root / "serve.log").read_text()
    finally:
        wrong.unlink()


@pytest.mark.slow
def test_a_schedule_that_was_made_before_a_restart_fires_after_it(serving):
    path = f"deployments/{serving.deployment('fetch/any-dataset')['id']}"
    every = {
        "schedule": {"interval": 15},
        "active": True,
        "parameters": {"dataset": "tiny", "plan_only": True},
    }
    serving.api("POST", f"{path}/schedules", [every])
    serving.stop()
    serving.start()
    restarted = time.time()

    def fired():
        body = {"flow_runs": {"name": {"like_": "fetch tiny: plan only"}}}
        return [
            run
            for run in serving.api("POST", "flow_runs/filter", body)
            if run["state"]["type"] == "COMPLETED"
        ]

    until(fired)
    assert time.time() - restarted < 60
    for schedule in serving.deployment("fetch/any-dataset")["schedules"]:
        serving.api("DELETE", f"{path}/schedules/{schedule['id']}")
