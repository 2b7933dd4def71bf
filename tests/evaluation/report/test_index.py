import dataclasses

from evaluation.report.index import IndexRow, index_page
from evaluation.results import Metric
from tests.evaluation.report.test_render import Page

GOOD = IndexRow(
    dataset="good",
    state="good",
    verdict="It is <b>good</b>.",
    link="evaluate/good/1/report.html",
    bits=1.5,
    gain=-0.02,
    headline="function_parse_rate",
    metric=Metric(value=0.5, n=100, interval=(0.4, 0.6)),
    created="2026-11-22 09:14",
    seconds=181.0,
)


def test_the_troubled_datasets_come_first_and_every_row_has_its_figures():
    rows = [
        GOOD,
        dataclasses.replace(GOOD, dataset="old", state="warnings", notes=["stale"]),
        IndexRow(dataset="bad", state="failed", notes=["train was interrupted"]),
    ]
    page = index_page(rows, created="now")
    places = [page.index(f'"state {state}"') for state in ("failed", "warnings", "good")]
    assert places == sorted(places)
    for words in ("1.500", "-0.020", "50.0 %", "40.0 to 60.0 %", "3 min 1 s", "no report yet"):
        assert words in page


def test_the_index_is_well_formed_loads_nothing_and_escapes_its_input():
    hostile = dataclasses.replace(GOOD, dataset="<script>", notes=['"><script>'])
    page = index_page([hostile], created="<script>")
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in {tag for tag, _ in parsed.elements}
    links = [attributes["href"] for tag, attributes in parsed.elements if tag == "a"]
    assert links == ["evaluate/good/1/report.html"]
    assert "&lt;b&gt;good&lt;/b&gt;" in page


def test_an_index_of_nothing_says_how_to_begin():
    assert "charmill run python-stdlib" in index_page([], created="now")
