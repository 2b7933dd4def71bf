"""Prefect's server as a child process that dies with this process, however this one ends.

With a UI for `charmill serve`; without one for a single `charmill run`.

Anyone who can connect to the server can run code on this machine. So it listens on the loopback
address, any other address needs a password, and foreign web pages are rejected (`own_origin.py`).
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from flows.errors import StageError
from flows.server.host_names import host_names, is_loopback
from flows.server.own_origin import REJECTION_PREFIX
from system.processes import dying_with_parent
from system.settings import CHECKOUT

LOOPBACK = "127.0.0.1"
START_SECONDS = 180
STOP_SECONDS = 5
PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"  # noqa: S105 (the name of a variable)


def check_address(host: str, port: int, further_names: str = "") -> None:
    """Refuse an address that is in use, or that others can reach without a password.

    Args:
        host, port: where our server will listen.
        further_names: more host names of the server, as in `CHARMILL_SERVER_HOSTS`.

    Raises:
        StageError: if the address cannot be used; says why, and what to do.
        SettingsError: if a further name is not a host name.
    """
    if not is_loopback(host) and not os.environ.get(PASSWORD):
        raise StageError(
            f"--host {host}: anyone who can connect to Prefect's server can run code on this "
            f"machine; set {PASSWORD}=user:password first, or use {LOOPBACK}"
        )
    host_names(host, further_names)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StageError(_address_error(host, port, error)) from None


def check_server(api_url: str) -> None:
    """Make sure that a Prefect server answers.

    Raises:
        StageError: if none does.
    """
    if not _is_healthy(api_url):
        raise StageError(f"--server-url: no Prefect server answers at {api_url}")


def api_of(url: str) -> str:
    """The URL of a server's API, given its URL with or without `/api`."""
    if not url.startswith(("http://", "https://")):
        raise StageError(f"--server-url {url}: expected http://... or https://...")
    bare = url.rstrip("/")
    return bare if bare.endswith("/api") or "/api/" in bare else f"{bare}/api"


@contextmanager
def running_server(home: Path, host: str, port: int) -> Iterator[None]:
    """Run the server while the block runs.

    Raises:
        StageError: if it does not start; names its log file.
    """
    settings = {"PREFECT_UI_API_URL": "/api"}
    with _child("with_ui", home / "server.log", host, port, settings) as wait:
        wait()
        yield


def start_embedded_server(home: Path, api_url: str) -> Callable[[], None]:
    """Start a server for this process alone, without UI and schedules; it ends with this process.

    It must not end earlier: Prefect's threads send their last log lines while Python shuts down,
    and wait for a minute if no server answers.

    Returns:
        A function that waits until the server answers, and raises StageError if it does not start.
    """
    port = urlsplit(api_url).port
    assert port
    settings = {
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    server = ExitStack()
    log = home / "embedded.log"
    wait = server.enter_context(_child("embedded", log, LOOPBACK, port, settings))
    atexit.register(server.close)
    return wait


@contextmanager
def _child(
    factory: str, log: Path, host: str, port: int, settings: Mapping[str, str]
) -> Iterator[Callable[[], None]]:
    """Run a server while the block runs; yields a function that waits until it answers."""
    # Otherwise uvicorn imports from the current folder first, which may hold another `flows`.
    ours = ["--app-dir", str(CHECKOUT), "--factory", f"flows.server.app:{factory}"]
    command = [sys.executable, "-m", "uvicorn", *ours, "--timeout-keep-alive", "5"]
    always = {"PREFECT_SERVER_API_HOST": host, "PREFECT_SERVER_API_PORT": str(port)}
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--host", host, "--port", str(port)],
            env={**os.environ, **always, **settings},
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGKILL),  # noqa: PLW1509 (touches no lock)
        )
        try:
            yield partial(_wait, process, own_api(host, port), log)
        finally:
            _stop(process)


def free_port() -> int:
    """A port of the loopback address that is not in use now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def own_api(host: str, port: int) -> str:
    """The URL at which this machine reaches its own server's API."""
    reached = {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}/api"


def _wait(process: subprocess.Popen, api_url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_healthy(api_url):
            return
        time.sleep(0.1)
    raise StageError(f"Prefect's server did not start at {api_url}; its log: {log}")


def _stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_healthy(api_url: str) -> bool:
    """Whether a Prefect server answers there, even if it asks for a password.

    Raises:
        StageError: if it is one of ours and does not accept this host name.
    """
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=2) as answer:  # noqa: S310
            return answer.read(8) == b"true"
    except urllib.error.HTTPError as error:
        reason = error.read(1000).decode("ascii", "replace").strip()
        if reason.startswith(REJECTION_PREFIX) and reason.isprintable():
            raise StageError(f"{api_url}: {reason.removeprefix(REJECTION_PREFIX)}") from None
        return error.code in (401, 403)
    except (OSError, ValueError):
        return False


def _address_error(host: str, port: int, error: OSError) -> str:
    api_url = own_api(host, port)
    if _is_healthy(api_url):
        return (
            f"--port {port}: a Prefect server is already running there; use it with --server-url "
            f"{api_url.removesuffix('/api')}, stop it, or choose another --port"
        )
    return f"--port {port}: cannot listen on {host} ({error.strerror}); choose another --port"
