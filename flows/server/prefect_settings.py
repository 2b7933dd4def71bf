"""Prefect's settings: quiet, its home under the artifacts root, and the server that we choose.

They must be set before Prefect is imported, because Prefect reads the environment only once. The
database remains the user's choice (`PREFECT_SERVER_DATABASE_CONNECTION_URL`).
"""

import json
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from flows.server.login import CLIENT_VARIABLE, SERVER_VARIABLE, Login, new_login, stored_login
from flows.server.process import LOOPBACK, free_port, own_api
from flows.store.runs import Store
from system.errors import SettingsError
from system.settings import Settings, variable

HEARTBEAT = "charmill.flow-run.heartbeat"
HEARTBEAT_SECONDS = 30
"""A run without a heartbeat for three times this long counts as crashed."""
LOGGERS = ("flows", "corpora", "modeling", "evaluation", "system")
LEASES = "prefect.server.concurrency.lease_storage"
HOUR_SECONDS = 3600
EVENTS_KEPT_SECONDS = {
    "prefect.artifact-collection.updated": HOUR_SECONDS,
    "prefect.flow-run.heartbeat": 24 * HOUR_SECONDS,
    HEARTBEAT: 24 * HOUR_SECONDS,
}
"""Prefect keeps events for a week; each of the first kind holds a whole report."""
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # With leases in memory, a slot that is held when the server stops would never be released.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": f"{LEASES}.filesystem",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": json.dumps(EVENTS_KEPT_SECONDS),
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGERS),
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # Messages of no run, such as of the server that is started again, are for the terminal.
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
OWN_PAGES = {variable("pages"): "1"}
"""Of the artifacts in our own home, which `charmill serve` shows; see `flows.pages`."""
EMBEDDED = {
    # Prefect's own ephemeral server outlives a killed process; ours does not.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}
SERVED = {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
SERVER_VARIABLES = (
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "PREFECT_PROFILE",
    "PREFECT_UI_API_URL",
)
ROOT = 0
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def embed(settings: Settings) -> str:
    """Configure Prefect for flows in this process, with progress on the terminal only.

    Returns:
        The API URL at which `start_embedded_server` must start their server.
    """
    _use_own_home(settings)
    os.environ.update(EMBEDDED | OWN_PAGES)
    os.environ[CLIENT_VARIABLE] = new_login().secret
    os.environ["PREFECT_API_URL"] = own_api(LOOPBACK, free_port())
    return os.environ["PREFECT_API_URL"]


def use_own_server(settings: Settings, api_url: str) -> Login:
    """Configure Prefect for a server that we start.

    Returns:
        Its login: the user's own choice in the environment, or that of the home.

    Raises:
        SettingsError: if other accounts may know the login of the home.
    """
    home = _use_own_home(settings)
    os.environ.update(SERVED | OWN_PAGES)
    os.environ["PREFECT_API_URL"] = api_url
    chosen = os.environ.get(SERVER_VARIABLE)
    login = Login(chosen) if chosen else stored_login(home)
    os.environ[CLIENT_VARIABLE] = login.secret
    return login


def use_other_server(settings: Settings, api_url: str) -> None:
    """Configure Prefect for a running server; the user's API key or password for it is kept."""
    credentials = {name: os.environ.get(name) for name in ("PREFECT_API_KEY",)}
    _use_own_home(settings)
    os.environ.update(SERVED)
    os.environ.update({name: value for name, value in credentials.items() if value})
    os.environ["PREFECT_API_URL"] = api_url


def own_home(settings: Settings) -> Path:
    """Prefect's home, closed to other accounts: the login, all logs and parameters are in it.

    Raises:
        SettingsError: if another account owns it: what its database says is run as this user.
    """
    home = Store(settings.artifacts_root).prefect_home
    home.mkdir(parents=True, exist_ok=True)
    if home.stat().st_uid not in (os.geteuid(), ROOT):
        raise SettingsError(
            f"{home}: belongs to another account, which could run commands as you through it; "
            f"set {variable('artifacts')} to a folder of your own"
        )
    with suppress(PermissionError):  # root's
        home.chmod(0o700)
    return home


def check_versions(prefect: str, sqlalchemy: str) -> None:
    """Refuse two versions that can be installed together, but then start no scheduled run.

    Raises:
        SettingsError: for Prefect 3.8 with SQLAlchemy 2.1, which refuses its insertion of several
            runs at once ("Can't evaluate bulk DML statement").
    """
    if prefect.startswith("3.8.") and not sqlalchemy.startswith("2.0."):
        raise SettingsError(
            f"Prefect {prefect} does not work with SQLAlchemy {sqlalchemy}: "
            "pip install 'prefect>=3.9' or 'sqlalchemy<2.1'"
        )


def _use_own_home(settings: Settings) -> Path:
    """Point Prefect at our own home, and away from any server that the environment names."""
    if "prefect" in sys.modules:
        raise RuntimeError("prefect was imported before it was configured")
    check_versions(version("prefect"), version("sqlalchemy"))
    home = own_home(settings)
    for name in SERVER_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(ENVIRONMENT)
    os.environ["PREFECT_HOME"] = str(home)
    _bypass_proxies()
    return home


def _bypass_proxies() -> None:
    """Reach this machine directly: a proxy of the user's cannot, and Prefect would wait for it."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(filter(None, (named, *LOCAL_HOSTS)))
    os.environ.update({"NO_PROXY": hosts, "no_proxy": hosts})
