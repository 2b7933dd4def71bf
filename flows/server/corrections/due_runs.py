"""Middleware that makes the scheduled runs of a deployment again as soon as it was changed.

With every change of a deployment or a schedule Prefect deletes the scheduled runs that are not due
yet; its scheduler makes them again seconds later, beginning with that moment. A run that became due
in between was never made: when `charmill serve` starts, when a TOML or one of the schedules
changes, or when a new report is linked. Reported as PrefectHQ/prefect 17764; so up to 3.9.1.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.server.corrections.inner import DEPLOYMENT, ask, read_deployment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DueRuns:
    """Let Prefect schedule runs from the moment at which a change began."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        place = DEPLOYMENT.fullmatch(scope.get("path", ""))
        if place is None or scope["type"] != "http" or scope["method"] != "PATCH":
            await self.app(scope, receive, send)
            return
        began = datetime.now(UTC)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        if answer[0]["status"] == httpx.codes.NO_CONTENT:
            await self._schedule(place["id"], began)
        for message in answer:
            await send(message)

    async def _schedule(self, deployment: str, began: datetime) -> None:
        known = await read_deployment(self.app, deployment)
        if known.get("paused", True) or not any(one["active"] for one in known["schedules"]):
            return
        start = {"start_time": began.isoformat()}
        done = await ask(self.app, "POST", f"/api/deployments/{deployment}/schedule", start)
        if done.is_error:
            logger.warning("runs due since %s may be missing: %s", began, done.text)
