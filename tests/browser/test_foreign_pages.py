"""What a foreign web page gets from a server that runs on the browser's own machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import REBOUND
from tests.browser.user import open_deployment

pytestmark = pytest.mark.slow
PAGE = Path(__file__).with_name("attack.html").read_bytes()


class Elsewhere(BaseHTTPRequestHandler):
    """An attacker's site; its page at /null has the origin null."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(PAGE)))
        if self.path == "/null":
            self.send_header("content-security-policy", "sandbox allow-scripts allow-forms")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args):
        pass


@contextmanager
def site() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def seen(served):
    """Everything that the attack would change."""
    runs = served.api("POST", "flow_runs/filter", {})
    flows = served.api("POST", "flows/filter", {})
    pull = served.deployment("pipeline/tiny")["pull_steps"]
    return {run["id"] for run in runs}, {flow["name"] for flow in flows}, pull


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize(
    "place", ["127.0.0.1:{}/", "localhost:{}/", f"{REBOUND}:{{}}/", "127.0.0.1:{}/null"]
)
def test_a_foreign_page_reads_changes_and_runs_nothing(page, served, tmp_path, place, target):
    before = seen(served)
    marker = tmp_path / "executed"
    deployment = served.deployment("pipeline/tiny")["id"]
    with site() as port:
        page.goto(f"http://{place.format(port)}")
        call = "([server, deployment, command]) => attack(server, deployment, command)"
        server = f"http://{target}:{served.port}"
        gained = page.evaluate(call, [server, deployment, f"touch {marker}"])
        page.wait_for_timeout(3000)
        assert gained == []
        assert seen(served) == before
        assert not marker.exists()
        assert "Prefect" not in "".join(frame.content() for frame in page.frames[1:])


def test_a_name_that_is_rebound_to_this_machine_reads_nothing(page, served):
    address = f"http://{REBOUND}:{served.port}"
    answer = page.goto(address)
    assert answer.status == 400
    assert "is not a name of this server" in page.inner_text("body")
    ask = "async path => { const a = await fetch(path); return [a.status, await a.text()] }"
    status, text = page.evaluate(ask, "/api/flows/count")
    assert (status, "is not a name of this server" in text) == (400, True)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_ui_works_from_its_own_origin(page, served, name):
    refused = []
    page.on("response", lambda r: refused.append((r.status, r.url)) if r.status >= 400 else None)
    page.on("websocket", lambda s: s.on("socketerror", lambda e: refused.append((e, s.url))))
    page.goto(f"http://{name}:{served.port}/")
    open_deployment(page, "tiny")
    ask = """path => new Promise(resolve => {
        const socket = new WebSocket(path);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
    })"""
    assert page.evaluate(ask, f"ws://{name}:{served.port}/api/logs/out")
    assert refused == []


def test_a_link_from_elsewhere_leads_to_the_ui(page, served):
    with site() as port:
        page.goto(f"http://{REBOUND}:{port}/")
        page.evaluate("address => { location.href = address }", f"{served.ui}/")
        page.get_by_role("link", name="Deployments", exact=True).wait_for()
