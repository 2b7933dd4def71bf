"""Reports and their index pass axe-core, in both themes, on a desktop and on a phone."""

import dataclasses

import pytest

from evaluation.report.index import IndexRow, index_page
from evaluation.report.render import html
from evaluation.results import Metric
from tests.browser.axe import axe_source, violations
from tests.evaluation.example import example_evaluation, prose_evaluation

pytestmark = pytest.mark.slow

WIDTHS = {"desktop": 1280, "phone": 390}


def index():
    rows = [
        IndexRow(dataset="none", state="failed", notes=["train failed: no text"]),
        IndexRow(
            dataset="python-stdlib",
            state="warnings",
            notes=["undertrained: the curve still falls"],
            verdict="The LSTM needs 1.6 bits.",
            link="report.html",
            bits=1.648,
            gain=0.05,
            headline="function_parse_rate",
            metric=Metric(value=0.71, n=412, interval=(0.68, 0.75)),
            created="2026-11-22 09:14",
            seconds=210.0,
        ),
        IndexRow(dataset="torch", state="running"),
        IndexRow(dataset="redis", state="good"),
    ]
    return index_page(rows, created="2026-11-22T09:14:03Z")


def report(evaluation):
    """One sample with every kind of mark: axe-core takes most of a minute for 5,000 shaded runs."""
    (sample,) = evaluation.samples[1:2]
    page = html(dataclasses.replace(evaluation, samples=[sample]))
    marks = ("eof", "fault", "c1", "c2", "c3", "s1", "s2", "s3", "s4", "s5")
    assert [mark for mark in marks if f" class={mark}" not in page] == []
    return page


PAGES = {
    "code": lambda: report(example_evaluation()),
    "prose": lambda: report(prose_evaluation()),
    "index": index,
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(chromium, tmp_path, name, device, theme):
    source = axe_source()
    if source is None:
        pytest.skip("needs npm and its registry, for axe-core")
    path = tmp_path / "page.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    page = chromium.new_page(
        viewport={"width": WIDTHS[device], "height": 900}, color_scheme=theme, bypass_csp=True
    )
    page.set_default_timeout(120_000)
    page.goto(path.as_uri())
    found = violations(page, source)
    page.close()
    assert found == []
