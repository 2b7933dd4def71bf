"""Only its own pages, and programs, get to a server of ours; web pages from elsewhere do not.

A browser sends what any page asks of it to any address, this machine's loopback too. CORS merely
keeps the page from reading the answer: a plain POST or a websocket is carried out all the same.
So every request is looked at before the server sees it:

- Host has to be a name of this server.
- Origin, which browsers send wherever a page could change something, has to be that very host.
- Sec-Fetch-Site, which no page can set, has to be our own; but anyone may link to us.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.server.host_names import SETTING, HostNames, parse_authority

BY_US = "charmill: "
"""How every refusal begins."""
DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOriginOnly:
    """Answer 400 or 403 to what a foreign page sends; hand everything else on to `app`.

    Attributes:
        names: what the server may be called.
        browsers: False for a server without pages: nothing that a browser sends gets in.
    """

    app: ASGIApp
    names: HostNames
    browsers: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is None:
            await self.app(scope, receive, _without_foreign_frames(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:  # No page reads why; to the browser this is 403, too.
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or parse_authority(hosts[0])[0] not in self.names:
            return _say(
                400,
                f"Host {_shown(hosts)} is no name of this server; its names are {self.names}; "
                f"{SETTING} adds further ones",
            )
        if not self.browsers and any(_is_of_browsers(name) for name in headers):
            return _say(403, "this server is for programs, no browser may use it")
        if not all(_is_same_origin(origin, hosts[0]) for origin in origins):
            return _say(
                403,
                f"Origin {_shown(origins)} may not use this server, only its own pages at Host "
                f"{_shown(hosts)} may; a proxy has to pass on Host as it is",
            )
        # Browsers disagree on whether ws:// is the site of http://; they all send Origin with it.
        if scope["type"] == "http" and _is_used_from_elsewhere(scope["method"], headers):
            return _say(403, "pages from elsewhere may link to this server, not use it")
        return None


def _is_same_origin(origin: str, host: str) -> bool:
    """Whether an Origin is that of the Host, whose scheme we do not know behind a proxy."""
    scheme, _, authority = origin.partition("://")
    if (default := DEFAULT_PORTS.get(scheme)) is None:
        return False
    (name, port), (own_name, own_port) = parse_authority(authority), parse_authority(host)
    return (name, port or default) == (own_name, own_port or default)


def _is_used_from_elsewhere(method: str, headers: Headers) -> bool:
    if not set(headers.getlist("sec-fetch-site")) - {"same-origin", "none"}:
        return False
    return method not in ("GET", "HEAD") or headers.get("sec-fetch-mode") != "navigate"


def _is_of_browsers(header: str) -> bool:
    return header == "origin" or header.startswith("sec-fetch-")


def _without_foreign_frames(send: Send) -> Send:
    """Let no other site show our pages in a frame of its own and lead the user's clicks there."""

    async def send_framed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("content-security-policy", "frame-ancestors 'self'")
        await send(message)

    return send_framed


def _say(status: int, line: str) -> PlainTextResponse:
    return PlainTextResponse(f"{BY_US}{line}\n", status)


def _shown(values: list[str]) -> str:
    return ascii(", ".join(values)[:100])
