"""`charmill serve` as a separate process, and the actions of a user in the UI, through the API."""

import functools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from tests.flows.conftest import TOML, _function
from tests.processes import DEADLINE_SECONDS, descendants, until

BUSY_ATTEMPTS = 20
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SERVE = "from flows.orchestration.serve import serve_all; from system.settings import Settings; "


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Serving:
    """An artifacts root and the dataset `tiny`, with a server that can be started and stopped."""

    root: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    def __post_init__(self) -> None:
        (self.root / "code").mkdir(parents=True, exist_ok=True)
        (self.root / "datasets").mkdir(exist_ok=True)
        source = random.Random(7)
        for number in range(60):
            (self.root / "code" / f"part{number}.py").write_text(_function(number, source))
        self.add_dataset("tiny")

    def add_dataset(self, name: str) -> None:
        text = TOML.format(folder=self.root / "code")
        (self.root / "datasets" / f"{name}.toml").write_text(text)

    def home(self) -> dict[str, str]:
        """The environment of the processes."""
        return {
            "CHARMILL_ARTIFACTS": str(self.artifacts),
            "CHARMILL_DATASETS": str(self.root / "datasets"),
            "CHARMILL_DEVICE": "cpu",
        }

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def login(self) -> str:
        """The login of the server, empty before its first start."""
        path = self.artifacts / ".prefect" / "login"
        stored = path.read_text().strip() if path.exists() else ""
        return self.environment.get("PREFECT_API_AUTH_STRING", stored)

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, arguments: str = "", seconds: float = DEADLINE_SECONDS) -> None:
        """Start the server, and wait until this start has registered every deployment."""
        call = f"serve_all(Settings(), {self.port}{arguments})"
        began = time.time()
        with (self.root / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE + call],
                env=os.environ | self.home() | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        process = self.process

        def registered() -> bool:
            assert process.poll() is None, (self.root / "serve.log").read_text()
            last = self.api("GET", "deployments/name/evaluate/any-dataset")
            updated = last.get("updated", "1970-01-01T00:00:00Z").replace("Z", "+00:00")
            return datetime.fromisoformat(updated).timestamp() > began

        try:
            until(registered, seconds)
        except AssertionError:
            process.kill()
            process.wait()
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> set[int]:
        """Stop the server; returns the processes that were below it."""
        assert self.process
        below = descendants(self.process.pid)
        self.process.send_signal(number)
        self.process.wait(DEADLINE_SECONDS)
        self.process = None
        return below

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; while SQLite is busy again and again, as Prefect's own clients do."""
        user, _, password = self.login.partition(":")
        request = functools.partial(
            httpx.request,
            method,
            f"{self.ui}/api/{path}",
            json=body,
            auth=(user, password),
            timeout=DEADLINE_SECONDS,
        )
        answer = request()
        for _ in range(BUSY_ATTEMPTS):
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
            answer = request()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        return self.api("GET", f"deployments/name/{name}")

    def run(self, name: str, **parameters: Any) -> str:
        """Create a run; returns its id."""
        path = f"deployments/{self.deployment(name)['id']}/create_flow_run"
        answer = self.api("POST", path, {"state": {"type": "SCHEDULED"}, "parameters": parameters})
        assert "id" in answer, answer
        return answer["id"]

    def state(self, run: str) -> dict[str, Any]:
        return self.api("GET", f"flow_runs/{run}")["state"]

    def ended(self, run: str, seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The final state of a run."""

        def final() -> dict[str, Any] | None:
            state = self.state(run)
            return state if state["type"] in FINAL else None

        return until(final, seconds)

    def set_state(self, run: str, kind: str) -> None:
        body = {"state": {"type": kind}, "force": kind == "SCHEDULED"}
        self.api("POST", f"flow_runs/{run}/set_state", body)

    def artifacts_of(self, key: str) -> list[dict[str, Any]]:
        """All versions of an artifact, newest first."""
        body = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
        return self.api("POST", "artifacts/filter", body)

    def logs(self, run: str) -> list[str]:
        body = {"logs": {"flow_run_id": {"any_": [run]}}}
        return [row["message"] for row in self.api("POST", "logs/filter", body)]
