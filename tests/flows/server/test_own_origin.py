"""What passes the check before Prefect's server, and what does not; without a server."""

import asyncio
from dataclasses import dataclass, field

import pytest

from flows.server.host_names import host_names
from flows.server.own_origin import OwnOriginOnly
from system.errors import SettingsError

AT_HOME = {"host": "127.0.0.1:4200"}
LOOPBACK = host_names("127.0.0.1", "")
EVIL = "http://evil.example"


@dataclass
class Application:
    """Records what reaches it, and accepts everything."""

    reached: list[str] = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        self.reached.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"yes"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


def exchange(headers, *, method="GET", kind="http", names=LOOPBACK, browsers=True):
    """The response to one request, as ASGI messages, and what reached the application."""
    application, answered = Application(), []
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": kind,
        "method": method,
        "path": "/",
        "headers": [(key.encode(), value.encode("latin-1")) for key, value in pairs],
    }

    async def receive():
        raise AssertionError("a refusal needs no body")

    async def send(message):
        answered.append(message)

    guard = OwnOriginOnly(app=application, names=names, browsers=browsers)
    asyncio.run(guard(scope, receive, send))
    return answered, application.reached


def status(headers, **more):
    answered, reached = exchange(headers, **more)
    assert bool(reached) is (answered[0]["status"] == 200)
    return answered[0]["status"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4200", "LOCALHOST:4200", "localhost:14200", "[::1]:4200", "[0:0::1]"],
)
def test_a_loopback_server_answers_to_its_own_names_at_any_port(host):
    assert status({"host": host}) == 200
    assert status({"host": host, "origin": f"http://{host.lower()}"}, method="POST") == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4200",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "localhost.",
        "0.0.0.0:4200",
        "[::]:4200",
        "192.168.1.7:4200",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
        "::1",
        "[::1",
        "localhost:",
        "localhost:evil",
        "localhost:4200:80",
        "localhost/..",
        "localhost, evil.example",
        "*",
        "\xe9vil",
        "",
    ],
)
def test_it_answers_to_no_other_name(host):
    assert status({"host": host}) == 400
    assert status({"host": host, "origin": f"http://{host}"}, method="POST") == 400


@pytest.mark.parametrize("hosts", [[], ["localhost", "evil.example"], ["localhost", "localhost"]])
def test_a_request_has_exactly_one_host(hosts):
    assert status([("host", host) for host in hosts]) == 400


def test_what_a_proxy_says_about_the_host_changes_nothing():
    forwarded = {"x-forwarded-host": "127.0.0.1:4200", "forwarded": "host=127.0.0.1"}
    assert status({"host": "evil.example", **forwarded}) == 400
    assert status({**AT_HOME, "x-forwarded-host": "evil.example"}) == 200


def test_a_wrong_host_is_told_in_one_line_what_is_right():
    body = exchange({"host": "evil.example"})[0][1]["body"].decode()
    assert body == (
        "charmill: Host 'evil.example' is not a name of this server; its names are 127.0.0.1, "
        "[::1], localhost; CHARMILL_SERVER_HOSTS adds more\n"
    )


@pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        "null",
        "",
        "127.0.0.1:4200",
        "http://127.0.0.1:4201",
        "http://127.0.0.1",
        "http://localhost:4200",
        "http://127.0.0.1:4200.evil.example",
        "http://127.0.0.1:4200@evil.example",
        "http://evil.example#127.0.0.1:4200",
        "http://127.0.0.1:4200/",
        "chrome-extension://127.0.0.1:4200",
        "file://",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"])
def test_no_other_origin_gets_in_by_any_method(origin, method):
    assert status({**AT_HOME, "origin": origin}, method=method) == 403


def test_a_second_origin_does_not_hide_a_foreign_one():
    own = ("origin", "http://127.0.0.1:4200")
    pairs = [("host", "127.0.0.1:4200"), own, ("origin", EVIL)]
    assert status(pairs) == status([*pairs[:1], *reversed(pairs[1:])]) == 403


def test_the_origin_behind_a_proxy_that_ends_tls_is_the_servers_own():
    names = host_names("127.0.0.1", "charmill.example.org")
    origin = {"origin": "https://charmill.example.org"}
    for host in ("charmill.example.org", "Charmill.Example.org:443"):
        assert status({"host": host, **origin}, method="POST", names=names) == 200
    assert status({**AT_HOME, **origin}, names=names) == 403
    assert status({"host": "charmill.example.org:80", **origin}, names=names) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_page_from_elsewhere_may_link_to_the_server_and_no_more(site):
    fetched = {**AT_HOME, "sec-fetch-site": site}
    followed = {**fetched, "sec-fetch-mode": "navigate"}
    assert status(followed) == 200
    assert status(followed, method="POST") == 403
    assert status({**fetched, "sec-fetch-mode": "no-cors"}) == 403
    assert status(fetched) == 403
    own = {**fetched, "origin": "http://127.0.0.1:4200"}
    assert status(own, method="POST") == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_its_own_pages_and_the_address_bar_may_use_the_server(site):
    assert status({**AT_HOME, "sec-fetch-site": site}, method="POST") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {**AT_HOME, "origin": EVIL},
        {**AT_HOME, "origin": "null"},
        {"host": "evil.example", "origin": EVIL},
    ],
)
def test_a_foreign_websocket_is_closed_before_it_opens(headers):
    answered, reached = exchange(headers, kind="websocket")
    assert answered == [{"type": "websocket.close", "code": 1008}]
    assert not reached


def test_websockets_of_its_own_pages_and_of_programs_open():
    own = {**AT_HOME, "origin": "http://127.0.0.1:4200", "sec-fetch-site": "cross-site"}
    for headers in (AT_HOME, own):
        assert exchange(headers, kind="websocket") == (
            [{"type": "websocket.accept"}],
            ["websocket"],
        )


def test_the_lifespan_is_handed_on():
    assert exchange({}, kind="lifespan") == ([], ["lifespan"])


@pytest.mark.parametrize(
    "sent", [{"origin": "http://127.0.0.1:4200"}, {"sec-fetch-site": "none"}, {"origin": "null"}]
)
def test_a_server_for_programs_answers_no_browser(sent):
    assert status({**AT_HOME, **sent}, browsers=False) == 403
    assert status(AT_HOME, browsers=False) == 200
    assert exchange({**AT_HOME, **sent}, kind="websocket", browsers=False)[1] == []


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "", "192.0.2.7", "mill.lan"])
def test_an_open_server_answers_to_addresses_its_own_names_and_those_listed(bound, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Gpu1.example.org")
    names = host_names(bound, " server , Charmill.example.org,[2001:DB8:0::1],")
    for host in ("localhost", "192.168.1.7:4200", "[2001:db8::5]:4200", "gpu1", "gpu1.example.org"):
        assert status({"host": host}, names=names) == 200
    for host in ("server:4200", "charmill.example.org", "[2001:db8::1]"):
        assert status({"host": host}, names=names) == 200
    for host in ("evil.example", "0.0.0.0", "[::]", "gpu1.evil.example", "1.2.3.4.nip.io", ""):
        assert status({"host": host}, names=names) == 400
    assert status({"host": "mill.lan"}, names=names) == (200 if bound == "mill.lan" else 400)


@pytest.mark.parametrize(
    "further", ["https://a.example", "a.example:80", "*", "*.example", "a b", "[::x]"]
)
def test_what_is_no_host_name_is_refused_with_what_is_allowed(further):
    with pytest.raises(SettingsError, match="is not a host name; expected names or addresses"):
        host_names("127.0.0.1", f"fine.example,{further}")
