"""Prefect's settings: quiet, its home under the artifacts root, talking to the server we choose.

Must run before Prefect is imported, because Prefect reads the environment only once. Where the
database is stays the user's choice (`PREFECT_SERVER_DATABASE_CONNECTION_URL`).
"""

import os
import sys

from flows.server.process import LOOPBACK, free_port, own_api
from flows.store.runs import Store
from system.settings import Settings

HEARTBEAT_SECONDS = 30
"""A run that is silent for three times as long is taken for crashed."""
LOGGERS = ("flows", "corpora", "modeling", "evaluation")
LEASES = "prefect.server.concurrency.lease_storage"
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # In memory, a slot that was held when the server stopped would be held for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": f"{LEASES}.filesystem",
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGERS),
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
EMBEDDED = {
    # Prefect's own embedded server outlives a process that is killed; ours does not.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}
SERVED = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}
ELSEWHERE = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_UI_API_URL")


def embed(settings: Settings) -> str:
    """For flows that run in this process, seen by the terminal's bars only.

    Returns:
        The address at which `start_embedded_server` has to start their server.
    """
    _use_own_home(settings)
    os.environ.update(EMBEDDED)
    os.environ["PREFECT_API_URL"] = own_api(LOOPBACK, free_port())
    return os.environ["PREFECT_API_URL"]


def use_own_server(settings: Settings, api_url: str) -> None:
    """For a server that we start ourselves; who may log in to it, we may too."""
    _use_own_home(settings)
    os.environ.update(SERVED)
    os.environ["PREFECT_API_URL"] = api_url
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ["PREFECT_API_AUTH_STRING"] = password


def use_other_server(settings: Settings, api_url: str) -> None:
    """For a server that runs already; the user's key or password for it stays as it is."""
    credentials = {name: os.environ.get(name) for name in ("PREFECT_API_KEY",)}
    _use_own_home(settings)
    os.environ.update(SERVED)
    os.environ.update({name: value for name, value in credentials.items() if value})
    os.environ["PREFECT_API_URL"] = api_url


def _use_own_home(settings: Settings) -> None:
    """Point Prefect at our own home, and at no server that the environment names."""
    assert "prefect" not in sys.modules
    home = Store(settings.artifacts_root).prefect_home
    home.mkdir(parents=True, exist_ok=True)
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    os.environ.update(ENVIRONMENT)
    os.environ["PREFECT_HOME"] = str(home)
