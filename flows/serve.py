"""Prefect's server and UI on this machine, with a deployment per dataset and one per stage.

The server is a child process that dies with this one. Whoever reaches it can run code here, so it
listens on the loopback address only.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from corpora.children import dying_with_parent
from corpora.spec import dataset_files, load_dataset
from flows.layout import Layout
from flows.prefect_home import use_own_home
from flows.settings import Settings
from flows.stage import StageError
from flows.terminal import err, out

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment

HOST = "127.0.0.1"
START_SECONDS = 180


def serve_all(settings: Settings, port: int) -> None:
    """Start the server, register every deployment, and run what the UI asks for, until Ctrl-C.

    Raises:
        StageError: if the server does not start; says where its log is.
    """
    use_own_home(settings)
    url = f"http://{HOST}:{port}"
    os.environ["PREFECT_API_URL"] = f"{url}/api"
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    os.environ["CHARMILL_ARTIFACTS"] = str(settings.artifacts_root)
    err.print("[dim]starting Prefect's server ...[/]")
    with _server(Layout(settings.artifacts_root).prefect_home, port):
        from prefect import serve

        found = list(deployments(settings))
        out.print(f"Prefect UI: {url}   (Ctrl-C stops it)", markup=False)
        serve(*found, print_starting_message=False)


def deployments(settings: Settings) -> "Iterator[RunnerDeployment]":
    """A pipeline for every dataset, and every stage on its own."""
    from flows.pipeline import FLOWS, pipeline

    folders = settings.dataset_folders
    names = list(dataset_files(folders))
    for name in names:
        spec = load_dataset(name, folders)
        words = f"{spec.title}. {spec.description}"
        yield _deployment(pipeline, name, name, words, ["pipeline", spec.language])
    for stage, flow in FLOWS.items():
        words = f"{flow.description}\n\nDatasets: {', '.join(names)}"
        yield _deployment(flow, "one-dataset", names[0], words, ["stage", stage])


def _deployment(
    flow: "Flow", name: str, dataset: str, description: str, tags: list[str]
) -> "RunnerDeployment":
    from prefect.deployments.runner import RunnerDeployment

    made = flow.to_deployment(
        name=name, parameters={"dataset": dataset}, description=description, tags=tags
    )
    assert isinstance(made, RunnerDeployment)
    return made


@contextmanager
def _server(home: Path, port: int) -> Iterator[None]:
    """Run the server while the block runs."""
    log = home / "server.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST]
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 (touches no lock)
        )
        try:
            _wait(process, f"http://{HOST}:{port}/api/health", log)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise StageError(f"Prefect's server did not start on {url}; its log: {log}")
