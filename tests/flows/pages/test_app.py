"""The served pages behind the real checks: login, origin, and names that could be paths."""

import json
import re
from html import unescape
from urllib.parse import quote

import pytest

from flows.pages.app import REPORT_POLICY
from flows.store.runs import Store
from modeling.training.learning_curve import LINES
from system.settings import Settings
from tests.flows.pages.stores import (
    BASIC,
    HOSTILE,
    REPORT,
    add_corpus,
    add_report,
    client,
    dropped,
    full_store,
    kept,
)

PATHS = (
    "/charmill/",
    "/charmill/tiny",
    "/charmill/tiny/report/e1",
    "/charmill/tiny/compare/e1/e2",
    "/charmill/tiny/diff/c1/c2",
    "/charmill/tiny/ledger",
    "/charmill/tiny/ledger?file=code/a.py",
    "/charmill/tiny/training",
)
POINT = {
    "step": 1,
    "characters": 100,
    "seconds": 2.0,
    "fraction": 0.25,
    "train_bits": 3.5,
    "validation_bits": 3.75,
    "learning_rate": 0.01,
    "gradient_norm": 1.0,
    "characters_per_second": 50.0,
}


@pytest.fixture
def settings(tmp_path) -> Settings:
    (tmp_path / "datasets").mkdir()
    return Settings(artifacts=tmp_path / "artifacts", datasets=tmp_path / "datasets")


@pytest.fixture
def store(settings) -> Store:
    return full_store(settings)


def links(page: str) -> set[str]:
    return {unescape(found) for found in re.findall(r'<a [^>]*?href="([^"]*)"', page)}


@pytest.mark.parametrize("path", PATHS)
def test_every_page_needs_the_login(settings, store, path):
    stranger = client(settings, accept="text/html")
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "tiny" not in answer.text
    assert client(settings).get(path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_no_page_of_another_site_can_read_or_frame_one(settings, store, path):
    foreign = {"origin": "https://elsewhere.example"}
    assert client(settings).get(path, headers=foreign).status_code == 403
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client(settings).get(path, headers=embedded).status_code == 403
    answer = client(settings).get(path)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_are_only_read(settings, store, method):
    for path in PATHS:
        assert client(settings).request(method, path).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/charmill/..%2f..%2fetc",
        "/charmill/%2e%2e",
        "/charmill/.prefect",
        "/charmill/tiny%00",
        "/charmill/TINY",
        f"/charmill/{quote(HOSTILE, safe='')}",
        "/charmill/tiny/report/..%2f..%2fcorpus%2ftiny%2fc1",
        "/charmill/tiny/report/%2e%2e",
        "/charmill/tiny/report/.work-e1",
        "/charmill/tiny/report/e9",
        "/charmill/tiny/compare/e1/..%2fe2",
        "/charmill/tiny/compare/e1/e1",
        "/charmill/tiny/diff/c1/%2e%2e",
        "/charmill/tiny/ledger?file=../../secret",
        "/charmill/tiny/report/e1/manifest.json",
        "/charmill/tiny/",
        "/charmill//tiny",
    ],
)
def test_no_address_leads_out_of_the_pages(settings, store, path):
    (settings.artifacts_root / ".prefect").mkdir()
    answer = client(settings).get(path)
    assert answer.status_code == 404
    assert "No such page" in answer.text
    assert "<script" not in answer.text


def test_a_report_comes_as_stored_and_from_nowhere(settings, store):
    answer = client(settings).get("/charmill/tiny/report/e1")
    assert answer.text == REPORT
    assert answer.headers["content-security-policy"] == REPORT_POLICY
    assert "; sandbox" in REPORT_POLICY
    assert "allow-" not in REPORT_POLICY
    assert "default-src 'none'" in REPORT_POLICY


def test_the_newest_report_has_an_address_that_stays(settings, store):
    answer = client(settings).get("/charmill/tiny/report/latest")
    assert answer.status_code == 307
    assert answer.headers["location"] == "/charmill/tiny/report/e2"


def test_a_damaged_report_is_not_shown(settings, store):
    page = store.runs("evaluate", "tiny").run("e1").folder / "report.html"
    page.write_text("<p>" + "x" * (len(REPORT) - 3))
    answer = client(settings).get("/charmill/tiny/report/e1")
    assert answer.status_code == 500
    assert "its content has changed" in answer.text


def test_every_link_leads_somewhere(settings, store):
    async def ids(keys):
        assert list(keys) == ["plan-tiny", "corpus-tiny", "report-tiny"]
        return {"plan-tiny": "0123"}

    program, seen, waiting = client(settings, ids), set(), {"/charmill/"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = program.get(path)
        assert answer.status_code == 200, (path, answer.text)
        waiting |= {one for one in links(answer.text) if one.startswith("/charmill/")} - seen
    assert set(PATHS[:5]) <= seen
    assert "/v2/artifacts/artifact/0123" in links(program.get("/charmill/tiny").text)


def test_a_dataset_that_never_ran_has_a_page_that_promises_nothing(settings, store):
    (settings.folder("datasets") / "never.toml").write_text("title = 3")
    page = client(settings).get("/charmill/never")
    assert page.status_code == 200
    assert "No report yet" in page.text
    assert links(page.text) == {"/", "/charmill/", "/charmill/never"}
    assert "never" not in client(settings).get("/charmill/").text


@pytest.mark.parametrize("path", PATHS[:2] + PATHS[3:])
def test_hostile_names_stay_text(settings, store, path):
    query = f"&q={quote(HOSTILE)}&reason={quote(HOSTILE)}" if "ledger?" not in path else ""
    answer = client(settings).get(f"{path}?{query}" if "?" not in path else path)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert "\u202e" not in answer.text


def test_the_ledger_shows_and_explains_a_hostile_file(settings, store):
    program = client(settings)
    page = program.get("/charmill/tiny/ledger").text
    assert "&lt;script&gt;" in page
    (file,) = [link for link in links(page) if "script" in link]
    answer = program.get(file)
    assert answer.status_code == 200
    assert "too large" in answer.text


def test_the_ledger_is_searched_by_name_and_decision_in_pages(settings):
    store = Store(settings.artifacts_root)
    rows = [kept(f"src/file{number}.py") for number in range(250)]
    add_corpus(store, "c1", [*rows, dropped("src/Large.py"), dropped("min.js", "generated")])
    program = client(settings)
    first = program.get("/charmill/tiny/ledger").text
    assert "252 files, 1 to 100 shown" in first
    assert "dropped: too large" in first
    last = program.get("/charmill/tiny/ledger?page=3").text
    assert "252 files, 201 to 252 shown" in last
    assert "min.js" in last
    assert "1 files, 1 to 1 shown" in program.get("/charmill/tiny/ledger?q=SRC/LARGE").text
    chosen = program.get("/charmill/tiny/ledger?q=src&reason=too+large").text
    assert "1 files" in chosen
    assert "file7.py" not in chosen
    assert "250 files" in program.get("/charmill/tiny/ledger?reason=").text
    for page in ("0", "-1", "x", "9" * 400, "\u0663"):
        assert program.get(f"/charmill/tiny/ledger?page={page}").status_code == 200


def test_the_newest_runs_are_compared(settings, store):
    program = client(settings)
    page = program.get("/charmill/tiny").text
    assert {"/charmill/tiny/compare/e1/e2", "/charmill/tiny/diff/c1/c2"} <= links(page)
    assert "better by 0.020 bits" in program.get("/charmill/tiny/compare/e1/e2").text
    found = program.get("/charmill/tiny/diff/c1/c2").text
    for heading in ("Added: 1 files", "Removed: 2 files", "Changed: 1 files"):
        assert heading in found


def test_the_trend_has_a_point_for_every_report(settings, store):
    page = client(settings).get("/charmill/tiny").text
    assert page.count("trend chart") == 2
    assert "bits per character (lower is better)" in page
    assert "characters in the corpus" in page
    add_report(store, "e3", day=5, corpus="removed")
    assert client(settings).get("/charmill/tiny").text.count("n/a") == page.count("n/a") + 1


def test_a_training_in_progress_is_followed_and_a_torn_line_is_no_obstacle(settings):
    run = Store(settings.artifacts_root).runs("train", "tiny").run("t2")
    run.work.mkdir(parents=True)
    lines = [json.dumps(POINT | {"step": n, "characters": 100 * n}) for n in (1, 2)]
    (run.work / LINES).write_text("\n".join(lines) + '\n{"step": 3, "char')
    with run.lock(pytest.fail):
        page = client(settings).get("/charmill/tiny/training").text
        assert '<meta http-equiv="refresh" content="10">' in page
        assert "Training in progress" in page
        assert "learning curve chart" in page
        assert "25 %, 50 characters/s, 3.500 bits/character, held-out 3.750, 6.0 s left" in page
        assert "/charmill/tiny/training" in links(client(settings).get("/charmill/tiny").text)
    page = client(settings).get("/charmill/tiny/training").text
    assert "There was no training yet" in page
    assert "refresh" not in page


def test_the_ui_links_to_the_pages_and_its_api_is_left_alone(settings):
    browser = {**BASIC, "accept": "text/html,*/*", "accept-encoding": "gzip"}
    page = client(settings).get("/v2/dashboard", headers=browser)
    assert "/charmill/" in links(page.text)
    assert page.text.endswith("</a>\n</body></html>")
    assert page.headers["content-length"] == str(len(page.content))
    assert client(settings).get("/api/flows", headers=browser).text == "{}"
    assert "charmill" not in client(settings).get("/v2/dashboard").text
