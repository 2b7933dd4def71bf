"""What a user does in Prefect's UI (V2), click by click."""

import re
from typing import Any

Page = Any
"""A page of playwright; annotating it would require playwright to be installed."""


def log_in(page: Page, ui: str, login: str) -> None:
    """Open the link that the terminal shows."""
    page.goto(f"{ui}/login#{login.partition(':')[2]}")
    page.get_by_role("link", name="Deployments", exact=True).wait_for()


def open_deployment(page: Page, name: str, flow: str = "pipeline") -> None:
    """Find a deployment by the sidebar and the search field, and open it."""
    page.get_by_role("link", name="Deployments", exact=True).click()
    page.get_by_placeholder("Search deployments").fill(name)
    # The list depends on the URL, which follows the field with a delay.
    page.wait_for_url(re.compile(f"={re.escape(name)}(&|$)"))
    rows = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
    row = rows.filter(has=page.get_by_role("link", name=flow, exact=True))
    row.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("button", name="Run", exact=True).wait_for()


def run_with(
    page: Page,
    *,
    dataset: str | None = None,
    budget: str | None = None,
    overrides: tuple[str, ...] = (),
    switches: tuple[str, ...] = (),
) -> None:
    """Fill in the form of the deployment that is open, and submit it."""
    fill_in(page, dataset=dataset, budget=budget, overrides=overrides, switches=switches)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile("/(runs|deployments)/[a-z-]+/[0-9a-f-]{36}($|[?](?!parameters))"))


def fill_in(
    page: Page,
    *,
    dataset: str | None = None,
    budget: str | None = None,
    overrides: tuple[str, ...] = (),
    switches: tuple[str, ...] = (),
) -> None:
    """Fill in the form of the deployment that is open."""
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.get_by_role("button", name="Add item").wait_for()
    if dataset:
        page.get_by_role("button", name="Select dataset").click()
        page.get_by_role("option", name=dataset, exact=True).click()
    if budget:
        page.get_by_label(re.compile("^budget")).fill(budget)
    for number, override in enumerate(overrides):
        page.get_by_role("button", name="Add item").click()
        # Items have no label; budget is the only other text field.
        page.locator("textarea").nth(number + 1).fill(override)
    for switch in switches:
        page.get_by_label(re.compile(f"^{switch}")).click()


def open_run(page: Page, ui: str, run: str) -> None:
    """Open the page of a run."""
    page.goto(f"{ui}/v2/runs/flow-run/{run}")


def open_artifact(page: Page, ui: str, key: str) -> None:
    """Open the newest version of an artifact by the address that descriptions link to."""
    page.goto(f"{ui}/v2/artifacts/key/{key}")
    open_newest_version(page)


def open_newest_version(page: Page) -> None:
    """Open the uppermost version on the page of an artifact's history."""
    page.locator("a[href*='/artifacts/artifact/']").first.click()


def cancel(page: Page) -> None:
    """Cancel the run whose page is open."""
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("menuitem", name="Cancel").click()
    page.get_by_role("alertdialog").or_(page.get_by_role("dialog")).get_by_role(
        "button", name="Cancel Flow Run"
    ).click()


def add_schedule(page: Page, *, seconds: int) -> None:
    """Add an interval schedule to the deployment that is open."""
    page.get_by_role("button", name="Schedule", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Value").fill(str(seconds))
    dialog.get_by_role("combobox", name="Interval").click()
    page.get_by_role("option", name="Seconds").click()
    dialog.get_by_role("button", name="Save").click()
