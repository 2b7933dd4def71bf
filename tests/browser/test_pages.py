"""The pages next to Prefect's UI, in a real browser: few clicks, readable, and harmless."""

import json
from pathlib import Path

import pytest

from flows.store.manifest import MANIFEST
from flows.store.runs import Store
from tests.browser.user import open_deployment
from tests.flows.serving import Serving

pytestmark = pytest.mark.slow
SCRIPT = """<!doctype html><html lang="en"><title>still</title><p id="said">unchanged</p>
<script>
document.title = "run";
fetch("/api/admin/version").then(() => { document.getElementById("said").textContent = "called" });
</script>
<form action="/api/flows/filter" method="post"><button>Send</button></form>
<img src="/api/health" onerror="document.title = 'run'">"""
UNLABELLED = """() => [...document.querySelectorAll("input, select, button, a, svg, progress")]
    .filter(one => !(one.labels?.length || one.textContent.trim() || one.ariaLabel))
    .map(one => one.outerHTML)"""
FAINT = """() => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = one => {
        for (let at = one; at; at = at.parentElement) {
            const colour = numbers(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll("main *")]
        .filter(one => !one.closest("svg") && one.offsetParent && [...one.childNodes]
            .some(node => node.nodeType === 3 && node.textContent.trim()))
        .filter(one => {
            const pair = [numbers(getComputedStyle(one).color), behind(one)].map(light).sort();
            return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05) < 4.5;
        })
        .map(one => one.outerHTML.slice(0, 200));
}"""


@pytest.fixture(scope="module")
def reported(served) -> Serving:
    """The server, after two pipelines of `tiny` with different corpora."""
    for overrides in ([], ["corpus.max_bytes=280"]):
        run = served.run("pipeline/tiny", dataset="tiny", budget="9kchars", overrides=overrides)
        assert served.ended(run, 240)["type"] == "COMPLETED", served.logs(run)
    return served


def newest_key(served: Serving) -> str:
    return Store(served.artifacts).runs("evaluate", "tiny").last().key


def test_two_clicks_lead_from_the_start_page_to_the_report(page, reported):
    page.goto(f"{reported.ui}/")
    page.get_by_role("link", name="Reports", exact=True).click()
    page.get_by_role("link", name="tiny", exact=True).click()
    page.wait_for_url(f"**/charmill/tiny/report/{newest_key(reported)}")
    page.get_by_role("heading", name="Threats to validity").wait_for()


def test_a_run_leads_to_its_report_by_the_id_of_its_artifact(page, reported):
    (artifact, *_) = reported.artifacts_of("report-tiny")
    page.goto(f"{reported.ui}/charmill/tiny")
    page.get_by_role("link", name="Report in Prefect").click()
    page.wait_for_url(f"**/v2/artifacts/artifact/{artifact['id']}*")
    page.get_by_role("link", name="The whole report").click()
    page.wait_for_url(f"**/charmill/tiny/report/{newest_key(reported)}")


def test_a_pipeline_that_never_ran_links_to_nothing_that_is_missing(page, reported):
    open_deployment(page, "torch")
    page.get_by_role("tab", name="Description").click()
    page.get_by_text("No report yet").wait_for()
    panel = page.get_by_role("tabpanel")
    addresses = [one.get_attribute("href") for one in panel.get_by_role("link").all()]
    assert addresses == ["/charmill/torch", "/charmill/"]
    for address in addresses:
        assert page.goto(f"{reported.ui}{address}").status == 200


def test_a_file_is_found_and_explained(page, reported):
    page.goto(f"{reported.ui}/charmill/tiny")
    page.get_by_label("Name contains").fill("PART7.")
    page.get_by_role("button", name="Search the files").click()
    page.get_by_role("link", name="part7.py").click()
    page.get_by_text("sha256").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_readable_on_a_desk_and_on_a_phone(page, reported, scheme):
    page.emulate_media(color_scheme=scheme)
    store = Store(reported.artifacts)
    reports, corpora = (store.runs(stage, "tiny").keys() for stage in ("evaluate", "corpus"))
    paths = ["", "tiny", "tiny/ledger", "tiny/training", "nothing"]
    paths += [f"tiny/compare/{reports[-2]}/{reports[-1]}", f"tiny/diff/{corpora[-2]}/{corpora[-1]}"]
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for path in paths:
            page.goto(f"{reported.ui}/charmill/{path}")
            assert page.locator("h1").count() == 1, path
            assert page.evaluate("document.documentElement.lang") == "en"
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            assert page.evaluate(UNLABELLED) == [], path
            assert page.evaluate(FAINT) == [], path


def test_a_script_in_a_report_neither_runs_nor_reaches_the_api(page, reported):
    run = Store(reported.artifacts).runs("evaluate", "tiny").run("e1")
    run.folder.mkdir()
    without_digests(reported, run.folder)
    (run.folder / "report.html").write_text(SCRIPT)
    answered = []
    page.on("response", lambda response: answered.append(response.url))
    page.goto(f"{reported.ui}/charmill/tiny/report/e1")
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(500)
    assert (page.title(), page.inner_text("#said")) == ("still", "unchanged")
    assert page.url.endswith("/charmill/tiny/report/e1")
    assert [url for url in answered if "/api/" in url] == []
    assert len(answered) == 1
    assert page.evaluate("window.origin") == "null"


def without_digests(served: Serving, folder: Path) -> None:
    """Make a run as an early version would have: its files have no digests."""
    last = Store(served.artifacts).runs("evaluate", "tiny").last().folder
    record = json.loads((last / MANIFEST).read_text())
    record = {k: v for k, v in record.items() if k not in ("format", "digest", "files")}
    (folder / MANIFEST).write_text(json.dumps(record | {"key": folder.name}))
