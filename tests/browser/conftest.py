"""A real browser, and a running server for it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.user import log_in
from tests.flows.serving import Serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
"""As root, and where /dev/shm is small, as in containers; the pages are our own."""
REBOUND = "rebound.example"
"""A name of somebody else that points at this machine."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """`charmill serve` with the dataset `tiny`."""
    home = Serving(tmp_path_factory.mktemp("browsed"))
    home.start()
    yield home
    home.stop()


@pytest.fixture(scope="module")
def chromium():
    """The machine's Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as driver:
        rebinding = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, rebinding])
        yield browser
        browser.close()


@pytest.fixture
def stranger(chromium):
    """A new tab of a browser that has never been here."""
    tab = chromium.new_page(viewport={"width": 1280, "height": 1000})
    tab.set_default_timeout(60_000)
    yield tab
    tab.close()


@pytest.fixture
def page(stranger, served):
    """A new tab of a browser that is logged in, by both names of this machine."""
    for name in ("127.0.0.1", "localhost"):
        log_in(stranger, f"http://{name}:{served.port}", served.login)
    return stranger
