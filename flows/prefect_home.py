"""Prefect without any server of its own: embedded, quiet, its home under the artifacts root.

Must run before Prefect is imported, because Prefect reads the environment only once.
"""

import os
import sys

from flows.layout import Layout
from flows.settings import Settings

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,corpora,modeling,evaluation",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
EMBEDDED = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}
ELSEWHERE = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_UI_API_URL")


def use_own_home(settings: Settings) -> None:
    """Point Prefect at our own home, and at no server that the environment names."""
    assert "prefect" not in sys.modules
    home = Layout(settings.artifacts_root).prefect_home
    home.mkdir(parents=True, exist_ok=True)
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    os.environ.update(ENVIRONMENT)
    os.environ["PREFECT_HOME"] = str(home)


def embed(settings: Settings) -> None:
    """As `use_own_home`, for flows that run in this process, seen by the terminal's bars only."""
    use_own_home(settings)
    os.environ.update(EMBEDDED)
