"""One login, and then nothing of it is noticed: what the owner sees in a real browser."""

import re

import pytest

from tests.browser.user import log_in, open_deployment, open_run, run_with
from tests.flows.serving import free_port
from tests.processes import until

pytestmark = pytest.mark.slow
OPEN_SOCKET = """path => new Promise(resolve => {
    const socket = new WebSocket(path);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
})"""
TELEMETRY = re.compile(r"https://[a-z.-]*amplitude[.]com/")
"""Prefect's UI asks for its settings there, even where analytics are off; the policy stops that."""


def password(served):
    return served.login.partition(":")[2]


def watch(page):
    """What the browser blocks from now on, and the errors of the pages."""
    complaints = []

    def note(message):
        if "Content Security Policy" in message.text and not TELEMETRY.search(message.text):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda r: complaints.append(r.url) if r.status in (401, 403) else None)
    return complaints


def test_a_browser_without_the_login_sees_a_form_and_nothing_else(stranger, served):
    for path in ("/", "/v2/deployments", "/api/docs", "/login"):
        stranger.goto(f"{served.ui}{path}")
        stranger.get_by_label("Password").wait_for()
        assert "Prefect" not in stranger.content()
    address = served.ui.replace("http", "ws")
    assert not stranger.evaluate(OPEN_SOCKET, f"{address}/api/events/out")
    ask = "async path => (await fetch(path)).status"
    for path in ("/api/admin/version", "/v2/index.html", "/ui-settings"):
        assert stranger.evaluate(ask, path) == 401


def test_a_wrong_password_is_refused_and_the_right_one_leads_where_one_wanted(stranger, served):
    stranger.goto(f"{served.ui}/v2/deployments")
    stranger.get_by_label("Password").fill("wrong")
    stranger.get_by_role("button", name="Log in").click()
    stranger.get_by_text("This is not the password of this server").wait_for()
    assert stranger.context.cookies() == []
    stranger.get_by_label("Password").fill(password(served))
    stranger.get_by_role("button", name="Log in").click()
    stranger.get_by_placeholder("Search deployments").wait_for()
    assert stranger.url.startswith(f"{served.ui}/v2/deployments")


def test_the_link_logs_in_and_leaves_the_secret_out_of_pages_and_requests(stranger, served):
    requests = []
    stranger.on("request", lambda request: requests.append((request.url, request.headers)))
    log_in(stranger, served.ui, served.login)
    assert password(served) not in stranger.url
    for url, headers in requests:
        assert password(served) not in f"{url.partition('#')[0]} {headers.get('referer', '')}"
    session = next(c for c in stranger.context.cookies() if c["name"].startswith("charmill-"))
    assert (session["name"], session["httpOnly"]) == (f"charmill-{served.port}", True)
    assert session["sameSite"] == "Lax"
    stored = "JSON.stringify([localStorage, sessionStorage, document.cookie, history.length])"
    seen = stranger.evaluate(stored)
    assert password(served) not in seen
    assert session["value"] not in seen


def test_every_page_of_the_ui_works_under_the_policy(stranger, served):
    log_in(stranger, served.ui, served.login)
    complaints = watch(stranger)
    stranger.goto(f"{served.ui}/")
    open_deployment(stranger, "tiny")
    run_with(stranger, switches=["plan_only"])
    body = {"flow_runs": {"name": {"like_": "pipeline tiny: plan only"}}}
    run = until(lambda: served.api("POST", "flow_runs/filter", body), 60)[0]
    assert served.ended(run["id"])["type"] == "COMPLETED"
    open_run(stranger, served.ui, run["id"])
    stranger.get_by_text("Completed", exact=True).first.wait_for()
    # The graph of the run, drawn in a worker.
    stranger.locator("canvas").first.wait_for()
    pages = ("dashboard", "runs", "flows", "work-pools", "blocks", "variables", "automations")
    for name in (*pages, "events", "concurrency-limits", "settings", "artifacts"):
        stranger.goto(f"{served.ui}/v2/{name}")
        stranger.get_by_role("link", name="Deployments", exact=True).wait_for()
        stranger.wait_for_timeout(500)
    stranger.goto(f"{served.ui}/dashboard")  # the former UI
    stranger.get_by_text("Flow Runs").first.wait_for()
    assert complaints == []


def test_reloads_websockets_and_a_restart_need_no_further_login(page, served):
    page.goto(f"{served.ui}/")
    open_deployment(page, "tiny")
    served.stop()
    served.start()
    complaints = watch(page)
    page.reload()
    page.get_by_role("button", name="Run", exact=True).wait_for()
    for path in ("events/in", "events/out", "logs/out"):
        address = served.ui.replace("http", "ws")
        assert page.evaluate(OPEN_SOCKET, f"{address}/api/{path}")
    assert complaints == []


def test_two_servers_of_one_machine_keep_their_sessions_apart(page, served):
    name = f"charmill-{free_port()}"
    page.context.add_cookies([{"name": name, "value": "of-another", "url": served.ui}])
    page.goto(f"{served.ui}/")
    page.get_by_role("link", name="Deployments", exact=True).wait_for()
