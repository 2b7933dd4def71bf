"""Requests of a middleware to Prefect within the same process, and the addresses of deployments."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

DEPLOYMENT = re.compile(
    r"/api/deployments/(?P<id>[0-9a-f-]{36})"
    r"(?P<action>/create_flow_run(/bulk)?|/schedules(/[0-9a-f-]{36})?)?/?"
)


async def ask(
    app: ASGIApp, method: str, path: str, body: bytes | Mapping[str, Any] | None = None
) -> httpx.Response:
    """Send a request; it needs no login."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://prefect") as client:
        if isinstance(body, bytes):
            headers = {"content-type": "application/json"}
            return await client.request(method, path, content=body, headers=headers)
        return await client.request(method, path, json=body)


async def read_deployment(app: ASGIApp, deployment: str) -> dict[str, Any]:
    """What Prefect knows of a deployment; empty if there is none."""
    answer = await ask(app, "GET", f"/api/deployments/{deployment}")
    return answer.json() if answer.status_code == httpx.codes.OK else {}
