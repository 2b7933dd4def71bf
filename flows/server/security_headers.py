"""Middleware that tells browsers what a response of ours may do.

If a text of a report or a log ever became part of a page as code, it could still load nothing from
elsewhere and send nothing there.
"""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        # The UI's graph of a run compiles its shaders to functions.
        "script-src 'self' 'unsafe-eval'",
        # The libraries of Prefect's UI set the style attributes of elements.
        "style-src 'self' 'unsafe-inline'",
        # The pictures of reports, and what the UI draws.
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        # The graph of a run is laid out in a worker made of text.
        "worker-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    # Not no-referrer: with it, a form of our own would have the origin null.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Add the headers to every response that does not set them itself."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_guarded)
