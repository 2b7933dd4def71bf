"""Prefect's UI talks to its own server only, although its scripts contain a client of Amplitude.

That client would ask its maker for instructions whenever a page is opened, even with usage
statistics switched off.
"""

import pytest

pytestmark = pytest.mark.slow
PAGES = ("/v2/dashboard", "/v2/deployments", "/v2/settings")


def test_the_ui_contacts_nobody_but_its_own_server(page, served):
    page.goto("about:blank")  # ends what the page of the login still asks for, by another name
    asked: list[str] = []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: asked.append(request.url))
    _, _, password = served.login.partition(":")
    page.goto(f"{served.ui}/login#{password}")
    page.wait_for_url("**/v2/**")
    for path in PAGES:
        page.goto(served.ui + path)
        page.wait_for_load_state("networkidle")
    assert any("/api/" in url for url in asked)
    elsewhere = [url for url in asked if not url.startswith((f"{served.ui}/", "data:", "blob:"))]
    assert elsewhere == []
