"""What another account of the machine gets from the real server, and where the secret is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.serving import Serving, free_port
from tests.processes import descendants, until

pytestmark = pytest.mark.slow
NOBODY = 65534
ATTACK = """
import json, pathlib, sys, urllib.error, urllib.request
api, deployment, home = sys.argv[1:]
def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{api}/{path}", data, headers, method=method)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
def read(name):
    try:
        return (pathlib.Path(home) / name).read_text()
    except OSError as error:
        return type(error).__name__
pull = [{"prefect.deployments.steps.run_shell_script": {"script": "id"}}]
print(json.dumps([
    ask("POST", "deployments/filter", {}),
    ask("PATCH", f"deployments/{deployment}", {"pull_steps": pull}),
    ask("POST", f"deployments/{deployment}/create_flow_run", {}),
    ask("GET", "admin/settings"),
    read("login"),
    read("prefect.db"),
]))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """`charmill serve` in a place that every account can reach."""
    root = tmp_path_factory.mktemp("guarded")
    for folder in (root, *list(root.parents)[:-2]):
        folder.chmod(0o755)
    home = Serving(root / "home")
    home.start()
    yield home
    home.stop()


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become another account"
)
def test_another_account_changes_runs_and_reads_nothing(served):
    deployment = served.deployment("pipeline/tiny")
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # The system's Python: ours may lie in a folder of root's.
    command += ["/usr/bin/python3", "-c", ATTACK]
    home = served.artifacts / ".prefect"
    done = subprocess.run(
        [*command, f"{served.ui}/api", deployment["id"], str(home)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert done.stdout == '[401, 401, 401, 401, "PermissionError", "PermissionError"]\n'
    assert served.deployment("pipeline/tiny")["pull_steps"] == deployment["pull_steps"]


def test_a_run_with_the_login_leaves_the_secret_nowhere(served):
    run = served.run("fetch/any-dataset", dataset="tiny", force=True)
    secret = served.login.partition(":")[2].encode()
    assert served.process

    def arguments():
        below = {served.process.pid, *descendants(served.process.pid)}
        paths = [Path(f"/proc/{pid}/cmdline") for pid in below]
        return b"".join(path.read_bytes() for path in paths if path.exists())

    seen = [arguments()]
    until(lambda: seen.append(arguments()) or served.state(run)["type"] == "COMPLETED")
    assert any(b"flows.server" in some for some in seen)
    assert not any(secret in some for some in seen)
    found = {
        path.name for path in served.root.rglob("*") if path.is_file() and secret in _read(path)
    }
    assert found == {"login"}
    assert secret.decode() not in str(served.api("GET", "admin/settings"))
    assert secret.decode() not in str(served.api("POST", "logs/filter", {}))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # the database's journal comes and goes
        return b""


def test_a_restart_keeps_sessions_and_a_new_login_ends_them(served):
    name = f"charmill-{served.port}"
    password = served.login.partition(":")[2]

    def status(client):
        return client.post(f"{served.ui}/api/flows/filter", json={}).status_code

    with httpx.Client(timeout=60) as client:
        client.post(f"{served.ui}/login", data={"password": password})
        assert (set(client.cookies), status(client)) == ({name}, 200)
        served.stop()
        served.start()
        assert status(client) == 200
        served.stop()
        (served.artifacts / ".prefect" / "login").unlink()
        served.start()
        assert status(client) == 401
        client.cookies.clear()
        client.post(f"{served.ui}/login", data={"password": served.login.partition(":")[2]})
        assert status(client) == 200


def test_the_command_shows_the_login_that_the_server_has(served):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "login", "--port", str(served.port)],
        env=os.environ | served.home(),
        capture_output=True,
        text=True,
        check=True,
    )
    user, _, password = served.login.partition(":")
    assert (user, done.stdout) == ("charmill", f"{served.ui}/login#{password}\n")
    assert password not in done.stderr
    assert password not in (served.root / "serve.log").read_text()
    assert "`charmill login --port " in (served.root / "serve.log").read_text()


def test_a_server_that_asks_for_a_login_says_so_to_who_names_it(served):
    for login, line in (
        ("", "requires a login: set PREFECT_API_AUTH_STRING"),
        ("a:b", "does not accept the login in PREFECT_API_AUTH_STRING"),
    ):
        environment = os.environ | served.home() | {"PREFECT_API_AUTH_STRING": login}
        command = ["serve", "--server-url", served.ui, "--port", str(free_port())]
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert line in done.stderr
