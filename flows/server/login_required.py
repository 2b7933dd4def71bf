"""Middleware that asks everybody for the login, before Prefect sees the request.

Prefect could ask for it itself, but would still hand out its pages, and its UI would keep the
password where any script on the page can read it. So Prefect is started without a password, and
everything is checked here:

- A program sends the login with every request, as Prefect's clients do.
- A program's websocket may send it as its first message instead; nothing is sent to it before.
- A browser exchanges the password for a cookie at `/login`, and gets that page wherever it comes
  without one.
"""

import asyncio
import json
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.server.host_names import parse_authority
from flows.server.login import CLIENT_VARIABLE, Login
from flows.server.login_page import login_page

LOGIN_PATH = "/login"
OPEN_PATHS = ("/api/health", "/api/ready")
"""For probes; they say no more than that the server is up."""
SESSION_SECONDS = 90 * 24 * 3600
HANDSHAKE_SECONDS = 30.0
MAX_LOGIN_BYTES = 10_000
UNAUTHORIZED = (
    f"charmill: this server requires its login; `charmill login` shows it, and programs take it "
    f"from {CLIENT_VARIABLE}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequired:
    """Answer everybody without the login with 401; pass everything else to `app`.

    Attributes:
        browsers: False for a server without pages, which has no login page either.
    """

    app: ASGIApp
    login: Login
    browsers: bool = True
    handshake_seconds: float = HANDSHAKE_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] != "websocket" or self._is_known(scope):
            await self.app(scope, receive, send)
        elif "prefect" in _subprotocols(scope):
            handshake = _Handshake(self.login, receive, send, self.handshake_seconds)
            await self.app(scope, handshake.receive, handshake.send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if self.browsers and path == LOGIN_PATH:
            response = await self._log_in(scope, receive) if method == "POST" else login_page()
        elif self._is_known(scope) or (method == "GET" and path in OPEN_PATHS):
            await self.app(scope, receive, send)
            return
        elif self.browsers and method == "GET" and _is_navigation(scope):
            response = login_page(401)
        else:
            answer = {"exception_message": "Unauthorized", "detail": UNAUTHORIZED}
            response = JSONResponse(answer, 401, {"cache-control": "no-store"})
        await response(scope, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive) -> Response:
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        if not self.login.is_password(form.get("password", [""])[0]):
            return login_page(401, is_wrong=True)
        response = RedirectResponse("/", 303, {"cache-control": "no-store"})
        headers = Headers(scope=scope)
        response.set_cookie(
            cookie_name(headers.get("host", "")),
            self.login.session,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            # A proxy that ends TLS: the browser knows the scheme, and says it in Origin.
            secure=headers.get("origin", "").startswith("https://"),
        )
        return response

    def _is_known(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if self.login.is_basic(headers.get("authorization", "")):
            return True
        name = cookie_name(headers.get("host", ""))
        return self.browsers and any(
            self.login.is_session(value)
            for header in headers.getlist("cookie")
            for value in _cookies(header, name)
        )


def cookie_name(host: str) -> str:
    """The name of the cookie; cookies do not distinguish ports, so the name has to.

    Args:
        host: the Host header.
    """
    return f"charmill-{parse_authority(host)[1] or 'default'}"


class _Handshake:
    """The receive and send of a websocket whose first message must be the login."""

    def __init__(self, login: Login, receive: Receive, send: Send, seconds: float) -> None:
        self._login, self._receive, self._send, self._seconds = login, receive, send, seconds
        self._is_known = self._is_closed = False

    async def receive(self) -> Message:
        """Pass on the login and everything after it; anything else ends the connection."""
        if self._is_known:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._seconds)
        except TimeoutError:
            return await self._refuse()
        if message["type"] != "websocket.receive":
            return message
        self._is_known = self._login.is_secret(_token(message))
        return message if self._is_known else await self._refuse()

    async def send(self, message: Message) -> None:
        """Send nothing but the acceptance to a stranger."""
        is_harmless = message["type"] in ("websocket.accept", "websocket.close")
        if not self._is_closed and (self._is_known or is_harmless):
            await self._send(message)

    async def _refuse(self) -> Message:
        self._is_closed = True
        await self._send({"type": "websocket.close", "code": 1008, "reason": "Unauthorized"})
        return {"type": "websocket.disconnect", "code": 1008}


def _token(message: Message) -> str:
    """The token of a client's first message, empty if it has none."""
    sent = message.get("text") or message.get("bytes") or ""
    if len(sent) > MAX_LOGIN_BYTES:
        return ""
    try:
        content = json.loads(sent)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, dict) or content.get("type") != "auth":
        return ""
    token = content.get("token")
    return token if isinstance(token, str) else ""


def _cookies(header: str, name: str) -> list[str]:
    """The values of a cookie; other servers of this host may have set malformed ones."""
    values = []
    for part in header.split(";"):
        try:
            parsed = SimpleCookie(part)
        except CookieError:
            continue
        values += [morsel.value for key, morsel in parsed.items() if key == name]
    return values


def _subprotocols(scope: Scope) -> set[str]:
    return {part.strip() for part in scope.get("subprotocols", ())}


def _is_navigation(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "text/html" in headers.get("accept", "")


async def _body(receive: Receive) -> bytes:
    """The body of a request, as far as a login can be long."""
    body = b""
    while len(body) < MAX_LOGIN_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:MAX_LOGIN_BYTES]
