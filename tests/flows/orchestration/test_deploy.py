"""The files for work pools, compose and Kubernetes: they parse, agree, and one of them runs."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.server.prefect_settings import LOGGERS
from system.settings import CHECKOUT
from tests.flows.serving import Serving
from tests.processes import DEADLINE_SECONDS, until

DEPLOY = CHECKOUT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
LOCK = CHECKOUT / "requirements.lock"


def read(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def deployments() -> list[dict[str, Any]]:
    (content,) = read(CHECKOUT / "prefect.yaml")
    return content["deployments"]


def containers() -> list[dict[str, Any]]:
    documents = [document for path in KUBERNETES for document in read(path)]
    pods = [d["spec"]["template"]["spec"] for d in documents if "template" in d.get("spec", {})]
    return [container for pod in pods for container in pod["containers"]]


def test_every_deployment_is_one_of_our_flows_and_takes_over_no_schedule():
    assert len({(d["work_pool"]["name"], d["name"]) for d in deployments()}) == 3
    for deployment in deployments():
        assert deployment["entrypoint"] == "flows.orchestration.flows.pipeline"
        assert not {"schedule", "schedules", "paused"} & set(deployment)


def test_runs_of_a_work_pool_log_and_beat_as_those_of_serve_do():
    for deployment in deployments():
        environment = deployment["work_pool"]["job_variables"]["env"]
        assert environment["PREFECT_LOGGING_EXTRA_LOGGERS"] == ",".join(LOGGERS)
        # Ours do not race with the end of a short run: flows/orchestration/endings/silent.py
        assert "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" not in environment


def test_the_version_of_prefect_is_that_of_the_lock():
    (content,) = read(CHECKOUT / "prefect.yaml")
    assert f"prefect=={content['prefect-version']}\n" in LOCK.read_text(encoding="utf-8")


def test_compose_keeps_what_it_must_and_asks_for_its_passwords():
    (compose,) = read(DEPLOY / "compose.yaml")
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    volumes = [v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])]
    assert set(compose["volumes"]) == {name for name in volumes if "/" not in name}
    for name in ("CHARMILL_DATABASE_PASSWORD", "CHARMILL_LOGIN"):
        assert f"${{{name}:?" in text
    for service in compose["services"].values():
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in compose["services"][needed]
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["server"]["ports"])


def test_kubernetes_does_as_compose_does():
    (compose,) = read(DEPLOY / "compose.yaml")
    inside = {container["name"]: container for container in containers()}
    for name in ("server", "worker"):
        assert inside[name]["args"] == compose["services"][name]["command"]
        assert inside[name]["image"] == compose["services"][name]["image"]
        assert inside[name]["securityContext"]["allowPrivilegeEscalation"] is False
    variables = {variable["name"]: variable.get("value") for variable in inside["server"]["env"]}
    named = compose["services"]["server"]["environment"]
    assert variables["PREFECT_SERVER_API_HOST"] == named["PREFECT_SERVER_API_HOST"]
    assert variables["CHARMILL_SERVER_HOSTS"] in named["CHARMILL_SERVER_HOSTS"].split(",")
    assert inside["postgres"]["image"] == compose["services"]["database"]["image"]


def test_every_secret_that_kubernetes_asks_for_is_made_by_the_command_that_is_shown():
    shown = "".join(path.read_text(encoding="utf-8") for path in KUBERNETES)
    made = set(re.findall(r"--from-literal=([a-z-]+)=", shown))
    used = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for container in containers()
        for variable in container["env"]
        if "valueFrom" in variable
    }
    assert used == made


def test_the_image_runs_as_a_user_without_rights_and_holds_every_package():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER charmill$", last, re.MULTILINE)
    users = re.search(r"--uid (\d+)", last)
    assert users
    for path in KUBERNETES[1:]:
        assert f"runAsUser: {users[1]}" in path.read_text(encoding="utf-8")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} {package}\n" in text


def prefect(*arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=CHECKOUT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def worker(log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A worker of the pool `processes`, started outside the checkout."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "processes"]
    with log.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=log.parent, env=os.environ | environment, stdout=sink, stderr=sink
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


@pytest.mark.slow
def test_a_worker_of_a_process_pool_runs_what_prefect_yaml_deploys(tmp_path):
    serving = Serving(tmp_path / "served")
    serving.start()
    environment = {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": f"{serving.ui}/api",
        "PREFECT_API_AUTH_STRING": serving.login,
        "CHARMILL_ARTIFACTS": str(tmp_path / "worker-artifacts"),
        "CHARMILL_DATASETS": str(serving.root / "datasets"),
        "CHARMILL_DEVICE": "cpu",
    }
    try:
        prefect("work-pool", "create", "processes", "--type", "process", environment=environment)
        prefect("deploy", "--name", "on-a-process-worker", environment=environment)
        with worker(tmp_path / "worker.log", environment):
            run = serving.run("pipeline/on-a-process-worker", dataset="tiny")
            state = serving.ended(run)
        assert state["type"] == "COMPLETED", state["message"]
        assert until(lambda: any("train of tiny: started" in x for x in serving.logs(run)))
        assert (tmp_path / "worker-artifacts" / "evaluate" / "tiny" / "latest").exists()
        assert not (serving.artifacts / "evaluate").exists()
    finally:
        serving.stop()
