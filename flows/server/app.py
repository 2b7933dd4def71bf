"""Prefect's server as ASGI apps: for its user alone, and closed to web pages of other origins.

The address it listens on is taken from PREFECT_SERVER_API_HOST, as Prefect does, and its login from
PREFECT_SERVER_API_AUTH_STRING. Both are factories for `uvicorn --factory`.
"""

import os
from pathlib import Path

from starlette.types import ASGIApp

from flows.pages.app import with_pages
from flows.server.corrections import correct_prefect, corrected
from flows.server.host_names import LOOPBACK_NAMES, HostNames, host_names
from flows.server.login import CLIENT_VARIABLE, SERVER_VARIABLE, Login
from flows.server.login_required import LoginRequired
from flows.server.own_origin import OwnOriginOnly
from flows.server.security_headers import SecurityHeaders
from flows.server.start_lock import StartLock
from system.errors import SettingsError
from system.settings import Settings


def with_ui() -> ASGIApp:
    """The server of `charmill serve`, and of the containers; it serves our own pages too."""
    names = host_names(
        os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1"), Settings().server_hosts
    )
    return _guarded(names, browsers=True)


def embedded() -> ASGIApp:
    """The server that a run starts for its own use."""
    names = HostNames(listed=frozenset(LOOPBACK_NAMES), any_address=False)
    return _guarded(names, browsers=False)


def _guarded(names: HostNames, *, browsers: bool) -> ASGIApp:
    # First, because Prefect must not see the login: its UI would ask for it a second time.
    login = _take_login()
    server = _prefect(ephemeral=not browsers)
    if browsers:
        # The embedded server has no schedules, and its run has checked its parameters already.
        server = with_pages(corrected(server), Settings())
    return guarded(server, login, names, browsers=browsers)


def guarded(server: ASGIApp, login: Login, names: HostNames, *, browsers: bool) -> ASGIApp:
    """A server that only its user can use, from its own pages and programs."""
    known = LoginRequired(app=server, login=login, browsers=browsers)
    return SecurityHeaders(OwnOriginOnly(app=known, names=names, browsers=browsers))


def _take_login() -> Login:
    """Remove the login from the environment.

    Raises:
        SettingsError: if there is none.
    """
    secret = os.environ.pop(SERVER_VARIABLE, "")
    os.environ.pop(CLIENT_VARIABLE, None)
    if not secret:
        raise SettingsError(f"{SERVER_VARIABLE}: set it to user:password, the login of the server")
    return Login(secret)


def _prefect(*, ephemeral: bool) -> ASGIApp:
    # Prefect's default is "*"; its own pages need no CORS.
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ""
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_HOME

    correct_prefect()
    home: Path = PREFECT_HOME.value()
    return StartLock(app=create_app(final=True, ephemeral=ephemeral), path=home / "start.lock")
