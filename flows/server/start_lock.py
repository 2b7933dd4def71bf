"""Middleware that lets servers of one home start one after the other.

At its start Prefect creates or migrates its database; two servers that do so at once fail.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLock:
    """Hold the lock while `app` starts; the kernel releases it if the process dies."""

    app: ASGIApp
    path: Path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        # Taken in a thread, so that the server can still be interrupted; released in another.
        lock = FileLock(self.path, thread_local=False)

        async def receive_alone() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.path.parent.mkdir(parents=True, exist_ok=True)
                await asyncio.to_thread(lock.acquire)
            return message

        async def send_released(message: Message) -> None:
            lock.release()
            await send(message)

        await self.app(scope, receive_alone, send_released)
