"""Take the screenshots of the documentation from a running server that has reports.

python -m tests.browser.screenshots http://127.0.0.1:4200 python-stdlib docs

The login is taken from PREFECT_API_AUTH_STRING.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.user import log_in, open_artifact, open_deployment

MAX_BYTES = 300_000


def main(ui: str, dataset: str, folder: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 760})
        page.set_default_timeout(60_000)
        log_in(page, ui, os.environ["PREFECT_API_AUTH_STRING"])
        open_deployment(page, dataset)
        page.get_by_role("tab", name="Description").click()
        page.get_by_role("link", name="Newest report").wait_for()
        take(page, folder / "ui-pipeline.png")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        page.get_by_role("button", name="Add item").wait_for()
        take(page, folder / "ui-form.png")
        open_artifact(page, ui, f"plan-{dataset}")
        page.get_by_text("reason").first.wait_for()
        take(page, folder / "ui-plan.png")
        page.set_viewport_size({"width": 1200, "height": 1300})
        open_artifact(page, ui, f"report-{dataset}")
        page.locator("img[src^='data:image/png']").first.wait_for()
        take(page, folder / "ui-report.png")
        page.set_viewport_size({"width": 1200, "height": 1000})
        page.goto(f"{ui}/charmill/{dataset}")
        take(page, folder / "ui-dataset.png")
        browser.close()


def take(page, path: Path) -> None:
    """Save a screenshot once nothing moves any more."""
    page.wait_for_timeout(1500)
    page.screenshot(path=path)
    assert path.stat().st_size < MAX_BYTES, path


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
