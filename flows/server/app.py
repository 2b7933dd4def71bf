"""ASGI apps for `uvicorn --factory`: Prefect's server, closed to web pages of other origins.

The address it listens on is taken from PREFECT_SERVER_API_HOST, as Prefect does.
"""

import os

from starlette.types import ASGIApp

from flows.server.host_names import LOOPBACK_NAMES, HostNames, host_names
from flows.server.own_origin import OwnOriginOnly
from system.settings import Settings


def with_ui() -> ASGIApp:
    """The server of `charmill serve`, and of the containers."""
    names = host_names(
        os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1"), Settings().server_hosts
    )
    return OwnOriginOnly(app=_prefect(ephemeral=False), names=names)


def embedded() -> ASGIApp:
    """The server that a run starts for its own use."""
    names = HostNames(listed=frozenset(LOOPBACK_NAMES), any_address=False)
    return OwnOriginOnly(app=_prefect(ephemeral=True), names=names, browsers=False)


def _prefect(*, ephemeral: bool) -> ASGIApp:
    # Prefect's default is "*"; its own pages need no CORS.
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ""
    from prefect.server.api.server import create_app

    return create_app(final=True, ephemeral=ephemeral)
