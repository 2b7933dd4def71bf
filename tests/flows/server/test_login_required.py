"""What a stranger gets from the server, and how one becomes known; without Prefect."""

import asyncio
import base64
import json
from dataclasses import dataclass, field

import pytest
from starlette.datastructures import Headers

from flows.server.login import Login
from flows.server.login_required import LoginRequired
from flows.server.security_headers import SecurityHeaders

LOGIN = Login("user:secret")
HOST = {"host": "127.0.0.1:4200"}
BASIC = {"authorization": f"Basic {base64.b64encode(b'user:secret').decode()}"}
COOKIE = {"cookie": f"other=1; charmill-4200={LOGIN.session}"}
PAGE = {"accept": "text/html,*/*"}
AUTH = '{"type": "auth", "token": "user:secret"}'
CLOSED = {"type": "websocket.close", "code": 1008}


@dataclass
class Application:
    """Accepts everything, and answers every message of a websocket."""

    reached: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        self.reached.append(scope["path"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"yes"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        # A careless endpoint: it speaks first.
        await send({"type": "websocket.send", "text": "hello"})
        while (message := await receive())["type"] != "websocket.disconnect":
            self.messages.append(message["text"])
            await send({"type": "websocket.send", "text": "seen"})


def exchange(headers, *, method="GET", path="/", body=b"", browsers=True):
    """Status, headers and body of the response, and whether the application was reached."""
    application, answered = Application(), []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in (HOST | headers).items()],
    }

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answered.append(message)

    guard = LoginRequired(app=application, login=LOGIN, browsers=browsers)
    asyncio.run(SecurityHeaders(guard)(scope, receive, send))
    start = answered[0]
    text = b"".join(message.get("body", b"") for message in answered[1:]).decode()
    return start["status"], Headers(raw=start["headers"]), text, bool(application.reached)


def converse(headers, *messages, subprotocols=("prefect",), seconds=60.0):
    """What the server sends on a websocket, and what reaches the application."""
    application, sent = Application(), []
    scope = {
        "type": "websocket",
        "path": "/api/events/in",
        "subprotocols": list(subprotocols),
        "headers": [(k.encode(), v.encode()) for k, v in (HOST | headers).items()],
    }
    coming = iter([{"type": "websocket.connect"}, *messages])

    async def receive():
        if (message := next(coming, None)) is None:
            await asyncio.sleep(3600)
        return {"type": "websocket.receive", "text": message} if type(message) is str else message

    async def send(message):
        sent.append(message)

    guard = LoginRequired(app=application, login=LOGIN, handshake_seconds=seconds)
    asyncio.run(guard(scope, receive, send))
    return sent, application


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2/",
        "/v2/assets/index.js",
        "/ui-settings",
        "/docs",
        "/openapi.json",
        "/api/docs",
        "/api/admin/version",
        "/api/admin/settings",
        "/api/flows/filter",
        "/api/health/",
        "/api//health",
        "/API/health",
        "/api/health/../flows/filter",
        "/api/health;/flows/filter",
        "/api/variables/name/system-health",
        "/x/api/health",
        "/login/",
        "/static/../api/flows/filter",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_stranger_reaches_nothing(path, method):
    status, headers, text, reached = exchange({}, method=method, path=path)
    assert (status, reached) == (401, False)
    assert json.loads(text)["exception_message"] == "Unauthorized"
    assert "www-authenticate" not in headers
    assert headers["cache-control"] == "no-store"


def test_probes_need_no_login():
    for path in ("/api/health", "/api/ready"):
        assert exchange({}, path=path)[0] == 200
        assert exchange({}, path=path, method="POST")[0] == 401


@pytest.mark.parametrize("known", [BASIC, COOKIE])
def test_who_is_known_reaches_everything(known):
    for method in ("GET", "POST", "DELETE"):
        assert exchange(known, method=method, path="/api/flows/filter")[3]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic dXNlcjp3cm9uZw=="},
        {"authorization": f"Bearer {LOGIN.secret}"},
        {"cookie": "charmill-4200="},
        {"cookie": f"charmill-4200={LOGIN.secret}"},
        {"cookie": f"charmill-4201={LOGIN.session}"},
        {"cookie": f"charmill-4200={LOGIN.session}x"},
        {"cookie": f"charmill-4200={Login('user:former').session}"},
        {"cookie": "charmill-4200=\xe9; =; ;;"},
    ],
)
def test_nothing_else_is_the_login(headers):
    assert exchange(headers, path="/api/flows/filter")[0] == 401


def test_malformed_cookies_of_other_servers_hide_no_session():
    cookie = f'{{"a": [1]}}; b c=d; =; x="; charmill-4200={LOGIN.session}'
    assert exchange({"cookie": cookie})[0] == 200


@pytest.mark.parametrize("path", ["/", "/v2/runs/flow-run/1", "/login"])
def test_a_browser_gets_the_login_page_wherever_it_comes(path):
    status, headers, text, reached = exchange(PAGE, path=path)
    assert (status, reached) == (200 if path == "/login" else 401, False)
    assert '<input type="password"' in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "secret" not in text


def test_the_right_password_is_exchanged_for_a_cookie():
    status, headers, _, _ = exchange({}, method="POST", path="/login", body=b"password=secret")
    assert (status, headers["location"]) == (303, "/")
    name, *attributes = headers["set-cookie"].split("; ")
    assert name == f"charmill-4200={LOGIN.session}"
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(attributes)
    assert "Secure" not in attributes
    assert "secret" not in headers["set-cookie"]


def test_behind_a_proxy_that_ends_tls_the_cookie_stays_on_tls():
    origin = {"host": "mill.example.org", "origin": "https://mill.example.org"}
    headers = exchange(origin, method="POST", path="/login", body=b"password=secret")[1]
    assert headers["set-cookie"].startswith("charmill-default=")
    assert "; Secure" in headers["set-cookie"]


@pytest.mark.parametrize(
    "body", [b"", b"password=", b"password=wrong", b"secret", b"\xff", b"x" * 20_000]
)
def test_a_wrong_password_is_exchanged_for_nothing(body):
    status, headers, text, _ = exchange({}, method="POST", path="/login", body=body)
    assert status == 401
    assert "set-cookie" not in headers
    assert "This is not the password" in text


def test_a_server_for_programs_has_no_login_page_and_no_sessions():
    post = {"method": "POST", "body": b"password=secret"}
    assert exchange(PAGE, path="/login", browsers=False)[0] == 401
    assert exchange({}, path="/login", browsers=False, **post)[0] == 401
    assert exchange(COOKIE, browsers=False)[0] == 401
    assert exchange(BASIC, browsers=False)[0] == 200


@pytest.mark.parametrize("known", [BASIC, COOKIE])
@pytest.mark.parametrize("subprotocols", [("prefect",), ()])
def test_a_websocket_of_who_is_known_opens(known, subprotocols):
    sent, application = converse(
        known, "event", {"type": "websocket.disconnect"}, subprotocols=subprotocols
    )
    assert [message["type"].split(".")[1] for message in sent] == ["accept", "send", "send"]
    assert application.messages == ["event"]


def test_a_websocket_may_send_the_login_as_its_first_message():
    sent, application = converse({}, AUTH, "event", {"type": "websocket.disconnect"})
    assert [message.get("text") for message in sent] == [None, "seen", "seen"]
    assert application.messages == [AUTH, "event"]


@pytest.mark.parametrize(
    "first",
    [
        "event",
        "",
        "[]",
        '{"type": "auth"}',
        '{"type": "auth", "token": null}',
        '{"type": "auth", "token": 7}',
        '{"type": "auth", "token": "user:wrong"}',
        '{"type": "event", "token": "user:secret"}',
        pytest.param("[" * 9_999, id="nested too deeply"),
        pytest.param(f'{{"x": "{"x" * 10_000}", {AUTH[1:]}', id="longer than any login"),
    ],
)
def test_a_websocket_whose_first_message_is_anything_else_is_closed(first):
    sent, application = converse({}, first, AUTH, "event")
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert application.messages == []


def test_a_websocket_without_a_handshake_does_not_open():
    sent, application = converse({}, AUTH, subprotocols=())
    assert sent == [CLOSED]
    assert application.reached == []


def test_a_silent_stranger_is_not_waited_for():
    sent, application = converse({}, seconds=0.01)
    assert sent[-1]["type"] == "websocket.close"
    assert application.messages == []


def test_every_response_says_what_a_browser_may_do_with_it():
    for headers in (exchange({})[1], exchange(BASIC)[1]):
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "same-origin"
