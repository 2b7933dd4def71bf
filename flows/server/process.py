"""Our own Prefect server, and the check of another one.

With a UI for `charmill serve`; without one for a single `charmill run`.

Whoever may use the server can run code on this machine. So it listens on the loopback address if
nothing else is asked for, requires a login (`login_required.py`), and rejects foreign web pages
(`own_origin.py`).
"""

import atexit
import base64
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from flows.errors import StageError
from flows.server.child import ServerProcess, last_exception
from flows.server.host_names import host_names
from flows.server.login import CLIENT_VARIABLE, SERVER_VARIABLE
from flows.server.own_origin import REJECTION_PREFIX

LOOPBACK = "127.0.0.1"
KEPT_LOG_SECONDS = 24 * 3600
SQLITE = re.compile(r"\(sqlite3\.(?:Operational|Database)Error\) .*")
"""What SQLAlchemy says if the database cannot be read or written: damaged, full, limited."""


def check_address(host: str, port: int, further_names: str = "") -> None:
    """Refuse an address that is in use.

    Args:
        host, port: where our server will listen.
        further_names: more host names of the server, as in `CHARMILL_SERVER_HOSTS`.

    Raises:
        StageError: if the address cannot be used; says why, and what to do.
        SettingsError: if a further name is not a host name.
    """
    host_names(host, further_names)
    _bound(host, port).close()


def check_server(api_url: str) -> None:
    """Make sure that a Prefect server answers, and accepts the login in the environment.

    Raises:
        StageError: if none does; says what to do.
    """
    if not _is_healthy(api_url):
        raise StageError(f"--server-url: no Prefect server answers at {api_url}")
    secret = os.environ.get(CLIENT_VARIABLE, "")
    request = urllib.request.Request(f"{api_url}/admin/version")  # noqa: S310
    if secret:
        encoded = base64.b64encode(secret.encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.UNAUTHORIZED and "PREFECT_API_KEY" not in os.environ:
            state = "does not accept the login in" if secret else "requires a login: set"
            raise StageError(
                f"--server-url: {api_url} {state} {CLIENT_VARIABLE}; for one of charmill's own, "
                "`charmill login` on its machine shows it"
            ) from None
    except (OSError, ValueError):
        raise StageError(f"--server-url: no Prefect server answers at {api_url}") from None


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
    server = _server("with_ui", home / "server.log", host, port, {"PREFECT_UI_API_URL": "/api"})
    with closing(server):
        server.wait(_is_healthy)
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
        # This process keeps the terminal for its progress; the server has its log.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    log = _embedded_log(home)
    _sweep_logs(home)
    server = _server("embedded", log, LOOPBACK, port, settings)

    def stop() -> None:
        server.close()
        log.unlink(missing_ok=True)

    def wait() -> None:
        try:
            server.wait(_is_healthy)
        except StageError:
            atexit.unregister(stop)  # keep the log
            server.close()
            raise

    atexit.register(stop)
    return wait


@contextmanager
def explaining_database(home: Path) -> Iterator[None]:
    """Turn a failure of the database of the embedded server into a line; other ones are bugs.

    Raises:
        StageError: if its file is damaged, or cannot be written to.
    """
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        yield
    except PrefectHTTPStatusError:
        if not (why := SQLITE.search(last_exception(_embedded_log(home)))):
            raise
        raise StageError(
            f"{home / 'prefect.db'}: Prefect's database fails {why[0]}; finished stages are kept; "
            "if it is damaged, move it elsewhere: it holds the history of runs, no results"
        ) from None


def _embedded_log(home: Path) -> Path:
    return home / f"embedded-{os.getpid()}.log"


def _server(
    factory: str, log: Path, host: str, port: int, settings: Mapping[str, str]
) -> ServerProcess:
    """Start a server with the login that this process uses itself."""
    always = {
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        SERVER_VARIABLE: os.environ[CLIENT_VARIABLE],
    }
    return ServerProcess(
        factory=factory,
        listener=_bound(host, port),
        log=log,
        environment={**os.environ, **always, **settings},
        api_url=own_api(host, port),
    )


def _sweep_logs(home: Path) -> None:
    """Delete what killed runs left, unless it is so new that somebody may want to read it."""
    for path in home.glob("embedded-*.log"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_LOG_SECONDS:
                path.unlink()


def free_port() -> int:
    """A port of the loopback address that is not in use now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def own_api(host: str, port: int) -> str:
    """The URL at which this machine reaches its own server's API."""
    reached = {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}/api"


def _bound(host: str, port: int) -> socket.socket:
    """A socket of our own at the address.

    Raises:
        StageError: if the address cannot be used; says why, and what to do.
    """
    try:
        host.encode("idna")
    except UnicodeError:
        raise StageError(f"--host {host!a}: not an address or a host name") from None
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # As servers do: a port whose last connections are still closing counts as free.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise StageError(_address_error(host, port, error)) from None
    return bound


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
