"""Requests of foreign web pages are never executed by Prefect's real server.

All of them carry the login here, as those of a browser carry its cookie.
"""

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from flows.errors import StageError
from flows.server.process import check_server
from system.settings import CHECKOUT
from tests.flows.serving import free_port, until

RUN = """
import os, sys
from flows.store.runs import Store
from flows.server.prefect_settings import {home}
from flows.server.process import running_server, start_embedded_server
from system.settings import Settings
settings = Settings()
home = Store(settings.artifacts_root).prefect_home
{start}
"""
SERVED = RUN.format(
    home="use_own_server",
    start="""
host, port = sys.argv[1], int(sys.argv[2])
use_own_server(settings, f"http://127.0.0.1:{port}/api")
with running_server(home, host, port):
    print(port, flush=True)
    sys.stdin.read()
""",
)
EMBEDDED = RUN.format(
    home="embed",
    start="""
address = embed(settings)
start_embedded_server(home, address)()
print(address.split(":")[2].removesuffix("/api"), flush=True)
sys.stdin.read()
""",
)
KEY = base64.b64encode(b"sixteen letters!").decode()
LOGIN = "user:secret"
KNOWN = f"Authorization: Basic {base64.b64encode(LOGIN.encode()).decode()}"
UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
]


@contextmanager
def python(code: str, *arguments: str, root: Path, **environment: str) -> Iterator[int]:
    """Start a server with `code`; yields its port."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=root,
        env=os.environ | {"CHARMILL_ARTIFACTS": str(root)} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The server of `charmill serve`."""
    root = tmp_path_factory.mktemp("served")
    # Users of Prefect have folders of this name; our package must still be found.
    (root / "flows").mkdir()
    (root / "flows" / "__init__.py").write_text("raise ImportError('of the current folder')")
    login = {"PREFECT_SERVER_API_AUTH_STRING": LOGIN}
    with python(SERVED, "127.0.0.1", str(free_port()), root=root, **login) as served:
        yield served


def said(port: int, *lines: str, body: str = "") -> tuple[int, str]:
    """Send exactly these lines; returns the status and the whole response."""
    head = [*lines, KNOWN, *([f"Content-Length: {len(body)}"] if body else [])]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", body]).encode("latin-1"))
        answer = b""
        while not _is_whole(answer) and (more := connection.recv(65536)):
            answer += more
    text = answer.decode("latin-1")
    return int(text.split(" ", 2)[1]), text


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    lengths = [x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")]
    if not found or b" 101 " in head[:20]:
        return bool(found)
    return bool(lengths) and len(body) >= int(lengths[0].split(b":")[1])


def flow_names(port: int) -> set[str]:
    url = f"http://127.0.0.1:{port}/api/flows/filter"
    flows = httpx.post(url, json={}, auth=("user", "secret"), timeout=30).json()
    return {flow["name"] for flow in flows}


def test_programs_and_its_own_pages_are_served(port):
    host = f"Host: 127.0.0.1:{port}"
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert said(port, "GET /api/health HTTP/1.1", f"Host: {name}:{port}")[0] == 200
    own = [host, f"Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: same-origin"]
    json = "Content-Type: application/json"
    created = said(port, "POST /api/flows/ HTTP/1.1", *own, json, body='{"name": "of-a-page"}')
    assert created[0] == 201
    assert "access-control" not in created[1].lower()
    assert "of-a-page" in flow_names(port)
    assert said(port, "GET /api/events/in HTTP/1.1", *own, *UPGRADE)[0] == 101
    assert said(port, "GET /api/events/in HTTP/1.1", host, *UPGRADE)[0] == 101


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: evil.example"],
        ["Host: evil.example", "X-Forwarded-Host: 127.0.0.1"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: 127.0.0.1", "Host: evil.example"],
        ["Host: evil.example", "Host: 127.0.0.1"],
        ["Host: 127.0.0.1@evil.example"],
        ["Host: 0.0.0.0"],
        ["Host:"],
        [],
    ],
)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_rebound_name_reads_nothing(port, lines, version):
    status, answer = said(port, f"POST /api/deployments/filter {version}", *lines, body="{}")
    assert (status, "access-control" in answer.lower()) == (400, False)
    assert said(port, f"GET /api/events/out {version}", *lines, *UPGRADE)[0] in (400, 403)


def test_an_address_in_the_request_line_does_not_stand_for_the_host(port):
    for target in (f"http://127.0.0.1:{port}/api/health", "http://evil@127.0.0.1/api/health"):
        assert said(port, f"GET {target} HTTP/1.1", "Host: evil.example")[0] == 400


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:{port}", "http://127.0.0.1:9", ""],
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_a_foreign_page_changes_nothing(port, origin, kind):
    lines = [f"Host: 127.0.0.1:{port}", f"Origin: {origin.format(port=port)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    body = '{"name": "of-a-foreign-page"}'
    status, answer = said(port, "POST /api/flows/ HTTP/1.1", *lines, body=body)
    assert (status, "access-control" in answer.lower()) == (403, False)
    assert "of-a-foreign-page" not in flow_names(port)
    for path in ("events/in", "events/out", "logs/out"):
        assert said(port, f"GET /api/{path} HTTP/1.1", *lines, *UPGRADE)[0] == 403


def test_a_page_that_hides_its_origin_changes_nothing(port):
    lines = [f"Host: 127.0.0.1:{port}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]
    body = '{"name": "of-a-form"}'
    assert said(port, "POST /api/flows/ HTTP/1.1", *lines, body=body)[0] == 403
    assert "of-a-form" not in flow_names(port)
    assert said(port, "GET /api/health HTTP/1.1", *lines)[0] == 200


def test_who_names_it_wrongly_as_server_url_is_told_the_right_names(port):
    with pytest.raises(StageError, match=r"/api: Host '0.0.0.0:\d+' is not a name of this server"):
        check_server(f"http://0.0.0.0:{port}/api")


def test_no_page_gets_leave_in_advance(port):
    status, answer = said(
        port,
        "OPTIONS /api/deployments/filter HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Origin: http://evil.example",
        "Access-Control-Request-Method: PATCH",
        "Access-Control-Request-Headers: content-type",
        "Access-Control-Request-Private-Network: true",
    )
    assert (status, "access-control" in answer.lower()) == (403, False)


@pytest.mark.slow
def test_the_server_that_a_run_starts_for_itself_answers_no_browser(tmp_path):
    with python(EMBEDDED, root=tmp_path) as port:
        host = f"Host: 127.0.0.1:{port}"
        health = "GET /api/health HTTP/1.1"
        assert said(port, health, host)[0] == 200
        assert said(port, health, "Host: evil.example")[0] == 400
        for line in (f"Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: none", "Origin: null"):
            assert said(port, health, host, line)[0] == 403
        assert said(port, "GET /api/events/in HTTP/1.1", host, "Origin: null", *UPGRADE)[0] == 403


@pytest.mark.slow
def test_the_server_of_compose_answers_to_its_worker_and_to_names_that_are_added(tmp_path):
    compose = yaml.safe_load((CHECKOUT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    server, worker = (compose["services"][name] for name in ("server", "worker"))
    port = free_port()
    command = [str(port) if word == "4200" else word for word in server["command"]]
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_SERVER_API_HOST": server["environment"]["PREFECT_SERVER_API_HOST"],
        "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
        "CHARMILL_SERVER_HOSTS": server["environment"]["CHARMILL_SERVER_HOSTS"].replace(
            "${CHARMILL_SERVER_HOSTS:-}", "mill.example.org"
        ),
    }
    health = "GET /api/health HTTP/1.1"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log, cwd=CHECKOUT
        )
        try:
            until(lambda: httpx.get(f"http://127.0.0.1:{port}/api/health").is_success, 120)
            address = httpx.URL(worker["environment"]["PREFECT_API_URL"])
            for name in (f"{address.host}:{address.port}", "mill.example.org", "192.0.2.7:4200"):
                assert said(port, health, f"Host: {name}")[0] == 200
            assert said(port, health, "Host: evil.example")[0] == 400
            page = ["Host: mill.example.org", "Origin: https://mill.example.org"]
            assert said(port, "POST /api/flows/filter HTTP/1.1", *page, body="{}")[0] == 200
            page[1] = "Origin: https://evil.example"
            assert said(port, "POST /api/flows/filter HTTP/1.1", *page, body="{}")[0] == 403
        finally:
            process.terminate()
            process.wait(60)
