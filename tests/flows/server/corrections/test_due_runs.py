"""When scheduled runs are made again after a change of their deployment."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flows.server.corrections.due_runs import DueRuns

ID = "0d1c9b0e-7b0c-4f0e-9a53-000000000001"
PATH = f"/api/deployments/{ID}"
CHANGES = [PATH, f"{PATH}/schedules/{ID}"]


@dataclass
class Prefect:
    """A server with one deployment; remembers from when it was asked to schedule runs."""

    paused: bool = False
    active: bool = True
    status: int = 204
    starts: list[datetime] = field(default_factory=list)

    async def answer(self, request) -> Response:
        if request.method == "PATCH":
            return Response(status_code=self.status)
        if request.method == "GET":
            return JSONResponse({"paused": self.paused, "schedules": [{"active": self.active}]})
        body: dict[str, Any] = await request.json()
        self.starts.append(datetime.fromisoformat(body["start_time"]))
        return Response(status_code=200)


def change(prefect: Prefect, path: str) -> int:
    methods = ["GET", "PATCH", "POST"]
    app = Starlette(routes=[Route("/{path:path}", prefect.answer, methods=methods)])

    async def run() -> int:
        transport = httpx.ASGITransport(DueRuns(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.patch(path, json={})).status_code

    return asyncio.run(run())


@pytest.mark.parametrize("path", CHANGES)
def test_runs_are_scheduled_from_the_moment_the_change_began(path):
    prefect, before = Prefect(), datetime.now(UTC)
    assert change(prefect, path) == 204
    (start,) = prefect.starts
    assert before <= start <= datetime.now(UTC)


@pytest.mark.parametrize(
    "prefect", [Prefect(paused=True), Prefect(active=False), Prefect(status=404)]
)
@pytest.mark.parametrize("path", CHANGES)
def test_what_is_paused_or_was_not_changed_schedules_nothing(prefect, path):
    assert change(prefect, path) == prefect.status
    assert prefect.starts == []


def test_other_addresses_are_not_looked_at():
    prefect = Prefect()
    assert change(prefect, f"/api/flow_runs/{ID}") == 204
    assert prefect.starts == []
