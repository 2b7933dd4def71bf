"""Middleware that admits programs and the server's own pages, and rejects foreign web pages.

A browser sends requests from any page to any address, including this machine's loopback address.
CORS only keeps the page from reading the response: a simple POST or a websocket is executed anyway.
So every request is checked before the server sees it:

- Host must be a name of this server.
- Origin, which browsers send with every request that can change something, must be the same host.
- Sec-Fetch-Site, which no page can set, must be same-origin or none; links to us are allowed.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.server.host_names import SETTING, HostNames, parse_authority

REJECTION_PREFIX = "charmill: "
"""Prefix of every rejection."""
DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOriginOnly:
    """Answer requests of foreign pages with 400 or 403; pass everything else to `app`.

    Attributes:
        names: the names of the server.
        browsers: False for a server without pages, which rejects every request of a browser.
    """

    app: ASGIApp
    names: HostNames
    browsers: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        is_request = scope["type"] in ("http", "websocket")
        if (refusal := self._refusal(scope) if is_request else None) is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:  # The page cannot read the reason; the browser sees a 403 too.
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or parse_authority(hosts[0])[0] not in self.names:
            return _rejection(
                400,
                f"Host {_shown(hosts)} is not a name of this server; its names are {self.names}; "
                f"{SETTING} adds more",
            )
        if not self.browsers and any(_is_sent_by_browsers(name) for name in headers):
            return _rejection(403, "this server is for programs, not for browsers")
        if not all(_is_same_origin(origin, hosts[0]) for origin in origins):
            return _rejection(
                403,
                f"Origin {_shown(origins)} may not use this server, only its own pages at Host "
                f"{_shown(hosts)} may; a proxy must pass on Host unchanged",
            )
        # Browsers disagree on whether ws:// is the site of http://; they all send Origin with it.
        if scope["type"] == "http" and _is_foreign_use(scope["method"], headers):
            return _rejection(403, "foreign pages may link to this server, but not use it")
        return None


def _is_same_origin(origin: str, host: str) -> bool:
    """Whether an Origin matches the Host, whose scheme is unknown behind a proxy."""
    scheme, _, authority = origin.partition("://")
    if (default := DEFAULT_PORTS.get(scheme)) is None:
        return False
    (name, port), (own_name, own_port) = parse_authority(authority), parse_authority(host)
    return (name, port or default) == (own_name, own_port or default)


def _is_foreign_use(method: str, headers: Headers) -> bool:
    if not set(headers.getlist("sec-fetch-site")) - {"same-origin", "none"}:
        return False
    return method not in ("GET", "HEAD") or headers.get("sec-fetch-mode") != "navigate"


def _is_sent_by_browsers(header: str) -> bool:
    return header == "origin" or header.startswith("sec-fetch-")


def _rejection(status: int, line: str) -> PlainTextResponse:
    return PlainTextResponse(f"{REJECTION_PREFIX}{line}\n", status)


def _shown(values: list[str]) -> str:
    return ascii(", ".join(values)[:100])
