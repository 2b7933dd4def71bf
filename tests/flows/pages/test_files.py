"""The pages as files: the same content, and only links that lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest

from flows.pages.files import remove_pages, renew_pages, write_all
from flows.store.runs import Store
from system.settings import Settings
from tests.flows.pages.stores import add_corpus, add_report, full_store, kept


@pytest.fixture
def store(tmp_path) -> Store:
    return full_store(Settings(artifacts=tmp_path / "artifacts"))


def linked(page: Path) -> list[Path]:
    found = re.findall(r'<a [^>]*?href="([^"#]*)"', page.read_text(encoding="utf-8"))
    return [(page.parent / link).resolve() for link in found]


def test_every_link_of_every_file_leads_to_a_file(store):
    index = write_all(store)
    pages = sorted(index.parent.glob("pages/tiny/*.html"))
    assert [page.name for page in pages] == ["compare.html", "diff.html", "index.html"]
    for page in (index, *pages):
        assert linked(page)
        assert [path for path in linked(page) if not path.is_file()] == [], page
    assert pages[2] in linked(index)
    assert {pages[0], pages[1]} <= set(linked(pages[2]))


def test_a_file_offers_no_search_and_names_the_command_instead(store):
    page = write_all(store).parent / "pages/tiny/index.html"
    text = page.read_text(encoding="utf-8")
    assert "<form" not in text
    assert "charmill explain tiny PATH" in text


def test_one_report_and_one_corpus_are_compared_with_nothing(tmp_path):
    store = Store(tmp_path)
    add_corpus(store, "c1", [kept("a.py")])
    add_report(store, "e1")
    write_all(store)
    assert [path.name for path in (tmp_path / "pages/tiny").iterdir()] == ["index.html"]


def test_a_comparison_that_cannot_be_read_hides_nothing_else(store, caplog):
    (store.runs("evaluate", "tiny").run("e1").folder / "documents.parquet").write_bytes(b"")
    write_all(store)
    assert "compare.html was not written" in caplog.text
    pages = store.root / "pages/tiny"
    assert {path.name for path in pages.iterdir()} == {"diff.html", "index.html"}
    assert [path for path in linked(pages / "index.html") if not path.is_file()] == []


def test_pages_are_renewed_where_there_are_any(store):
    renew_pages(store, ["tiny"])
    assert not (store.root / "pages").exists()
    write_all(store)
    add_report(store, "e3", day=9)
    renew_pages(store, ["tiny"])
    text = (store.root / "pages/tiny/index.html").read_text(encoding="utf-8")
    assert text.count("/e3/report.html") == 2


def test_pages_of_a_dataset_that_is_gone_are_removed(store):
    write_all(store)
    for stage in ("fetch", "corpus", "evaluate"):
        shutil.rmtree(store.root / stage)
    assert "tiny" not in write_all(store).read_text(encoding="utf-8")
    assert not (store.root / "pages/tiny").exists()


def test_nothing_of_what_is_forgotten_stays_in_a_page(store):
    write_all(store)
    remove_pages(store, "tiny")
    remove_pages(store, "tiny")
    assert not (store.root / "pages/tiny").exists()
