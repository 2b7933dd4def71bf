"""A link to our pages on every page of Prefect's UI, whose sidebar shows no artifacts.

The UI is one HTML page with a script. The link is added at its end, outside of what the script
draws, and needs no script itself. It is in the lower part of the sidebar, where it covers nothing.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.reporting.addresses import index_address

LINK = f"""
<style>
#charmill-reports {{ position: fixed; left: 1.5rem; bottom: 6.5rem; z-index: 40; }}
#charmill-reports {{ padding: .35rem .9rem; border-radius: 1rem; }}
#charmill-reports {{ background: #1f5fa8; color: #fff; }}
#charmill-reports {{ font: 500 14px/1.5 system-ui, sans-serif; text-decoration: none; }}
#charmill-reports:focus-visible {{ outline: 2px solid #fff; outline-offset: -4px; }}
@media (max-width: 767px) {{ #charmill-reports {{ left: auto; right: .5rem; bottom: .5rem; }} }}
</style>
<a id="charmill-reports" href="{index_address()}">Reports</a>
""".encode()
END = b"</body>"
MAX_BYTES = 1_000_000
DROPPED = (b"accept-encoding", b"if-none-match", b"if-modified-since")
"""Of requests for a page: a compressed answer, or none, could not be changed."""


def with_link(server: ASGIApp) -> ASGIApp:
    """Prefect's server with the link."""
    return _Linked(server)


@dataclass(frozen=True, slots=True)
class _Linked:
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and "text/html" in Headers(scope=scope).get("accept", "")
            and not scope["path"].startswith("/api/")
        )
        if not is_page:
            await self.app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0].lower() not in DROPPED]
        await self.app({**scope, "headers": headers}, receive, _Page(send).send)


class _Page:
    """Sends a response, an HTML page with the link in it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Hold back an HTML page until it is complete; pass on everything else."""
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body") and len(self._body) <= MAX_BYTES:
                return
            await self._release(is_complete=not message.get("more_body"))
            message = {**message, "body": self._body}
            self._start = None
        await self._send(message)

    async def _release(self, *, is_complete: bool) -> None:
        assert self._start
        if is_complete and END in self._body:
            head, _, tail = self._body.rpartition(END)
            self._body = head + LINK + END + tail
            headers = MutableHeaders(raw=list(self._start["headers"]))
            headers["content-length"] = str(len(self._body))
            self._start = {**self._start, "headers": headers.raw}
        await self._send(self._start)
