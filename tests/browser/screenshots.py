"""Take every screenshot of the documentation, of a server that this script starts and feeds.

python -m tests.browser.screenshots docs [HOME [BUDGET ...]]

Two small pipelines of the dataset that needs no network run there, and a third training is in
progress while its picture is taken. That takes some minutes on two quiet cores. The path of
HOME, such as /tmp/charmill, is in the pictures; with a HOME from before, finished runs are reused.
The last BUDGET is that of the report in the pictures.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.user import Page, log_in, open_artifact, open_deployment
from tests.flows.serving import Serving
from tests.processes import until

DATASET = "python-stdlib"
BUDGETS = ("200kchars", "600kchars")
SMALL = ["corpus.max_bytes=2000000", "sample.samples=6", "sample.length=4000"]
RUN_SECONDS = 1500
LONG = "6m"
"""Long enough to be in progress while its picture is taken, short enough to be validated soon."""
CURVE_SECONDS = 40
MAX_BYTES = 150_000
WIDTH, HEIGHT = 1200, 760


def main(folder: Path, home: Path, budgets: Sequence[str] = BUDGETS) -> None:
    with served(home) as serving, browser(serving) as page:
        for budget in budgets:
            run = serving.run(
                f"pipeline/{DATASET}", dataset=DATASET, budget=budget, overrides=SMALL
            )
            state = serving.ended(run, RUN_SECONDS)
            assert state["type"] == "COMPLETED", (state, serving.logs(run))
        of_the_way_to_a_report(page, serving.ui, folder)
        of_prefect(page, serving.ui, folder)
        with training(serving):
            page.set_viewport_size({"width": WIDTH, "height": 940})
            page.goto(f"{serving.ui}/charmill/{DATASET}/training")
            page.wait_for_timeout(CURVE_SECONDS * 1000)  # the page renews itself
            take(page, folder / "ui-training.png")


def of_the_way_to_a_report(page: Page, ui: str, folder: Path) -> None:
    """Click from the start page to the newest report, and to the page of its dataset."""
    page.goto(f"{ui}/")
    page.get_by_text("Flow Runs", exact=True).first.wait_for()
    take(page, folder / "ui-start.png")
    page.get_by_role("link", name="Reports").click()
    page.get_by_role("link", name=DATASET, exact=True).wait_for()
    take(page, folder / "ui-index.png")
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.get_by_role("link", name=DATASET, exact=True).click()
    page.wait_for_url("**/report/*")
    take(page, folder / "report.png")
    page.go_back()
    page.locator(f"a[href='/charmill/{DATASET}']").first.click()
    page.get_by_role("heading", name="Trend").wait_for()
    search = page.locator("form.search").bounding_box()
    page.set_viewport_size({"width": WIDTH, "height": round(search["y"] + search["height"]) + 30})
    take(page, folder / "ui-dataset.png")


def of_prefect(page: Page, ui: str, folder: Path) -> None:
    """Open a deployment, its form, and two artifacts."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(f"{ui}/")
    open_deployment(page, DATASET)
    page.get_by_role("tab", name="Description").click()
    page.get_by_role("link", name="Newest report").wait_for()
    take(page, folder / "ui-pipeline.png")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.get_by_role("button", name="Add item").wait_for()
    take(page, folder / "ui-form.png")
    open_artifact(page, ui, f"plan-{DATASET}")
    page.get_by_text("reason").first.wait_for()
    take(page, folder / "ui-plan.png")
    page.set_viewport_size({"width": WIDTH, "height": 1300})
    open_artifact(page, ui, f"report-{DATASET}")
    page.locator("img[src^='data:image/png']").first.wait_for()
    take(page, folder / "ui-report.png")


@contextmanager
def served(home: Path) -> Iterator[Serving]:
    """`charmill serve` with the datasets that come with it."""
    serving = Serving(home)
    (home / "datasets" / "tiny.toml").unlink()
    serving.start()
    try:
        yield serving
    finally:
        serving.stop()


@contextmanager
def training(serving: Serving) -> Iterator[None]:
    """A training in progress that has been validated, so that its page shows both curves."""
    run = serving.run("train/any-dataset", dataset=DATASET, budget=LONG, overrides=SMALL)
    until(lambda: any("held-out" in line for line in serving.logs(run)), RUN_SECONDS)
    try:
        yield
    finally:
        serving.set_state(run, "CANCELLING")
        serving.ended(run)


@contextmanager
def browser(serving: Serving) -> Iterator[Page]:
    """A browser that is logged in."""
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(60_000)
        log_in(page, serving.ui, serving.login)
        yield page
        chromium.close()


def take(page: Page, path: Path) -> None:
    """Save a screenshot in 256 colours, once nothing moves any more."""
    page.wait_for_timeout(1500)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    assert path.stat().st_size < MAX_BYTES, f"{path}: {path.stat().st_size} bytes"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or BUDGETS)
    else:
        with TemporaryDirectory() as temporary:
            main(Path(sys.argv[1]), Path(temporary) / "charmill")
