"""The built site: every link and every anchor in its HTML exists, and a browser asks nobody else.

Slow, because building the site imports all packages and takes 20 seconds.
"""

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.conftest import CHROMIUM, FLAGS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SHOWN = ("index", "docs/tutorial", "docs/settings", "docs/api/modeling", "docs/prefect", "search")
WIDTHS = (360, 768, 1024, 1280, 1366, 1600, 1920)


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        self.loads |= {found[name] for name in ("src", "data") if name in found}
        if tag == "link":
            self.loads.add(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    pytest.importorskip("sphinx", reason="needs the packages of requirements.lock")
    folder = tmp_path_factory.mktemp("built")
    flags = ["-W", "--keep-going", "-q", "-c", "docs", "-b", "html", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *flags, ".", str(folder / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_every_link_in_the_html_has_its_file_and_its_anchor(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 50
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in sorted(page.links | page.loads)
        if not urlsplit(link).scheme and not is_there(path, link, pages)
    ]
    assert broken == []


def is_there(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target in pages:
        return parts.fragment in pages[target].anchors
    return target.is_file()


def test_no_page_loads_anything_from_elsewhere_or_names_this_machine(site):
    for path in site.rglob("*.html"):
        foreign = [one for one in Page(path).loads if urlsplit(one).netloc]
        assert foreign == [], path
        assert str(ROOT) not in path.read_text(encoding="utf-8"), path


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_asks_for_local_files_only_and_nothing_is_wider_than_the_window(
    site, browser, scheme
):
    tab = browser.new_page(color_scheme=scheme)
    asked, errors = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    for name in SHOWN:
        tab.goto(f"{site.as_uri()}/{name}.html")
        tab.wait_for_load_state("networkidle")
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            page = "document.documentElement"
            assert tab.evaluate(f"{page}.scrollWidth - {page}.clientWidth") <= 0, (name, width)
    tab.close()
    assert any("furo.css" in url for url in asked)
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:"))] == []
    assert errors == []


def test_the_first_page_leads_to_the_documentation_and_the_search_finds_a_setting(site, browser):
    tab = browser.new_page()
    tab.goto(f"{site.as_uri()}/index.html")
    tab.wait_for_url("**/docs/index.html")
    tab.get_by_placeholder("Search").first.fill("near_threshold")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name="Settings").locator(
        "xpath=ancestor::ul[@class='search']"
    ).wait_for()
    tab.close()
