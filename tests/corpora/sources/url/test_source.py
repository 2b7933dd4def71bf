import hashlib
import json
import pickle

import pytest
from pydantic import ValidationError

from corpora.errors import SourceError
from corpora.sources.url import download
from tests.corpora.sources.url.urls import BOOK, contents, fetched, source_of
from tests.corpora.sources.url.web import site_of


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(download, "PAUSES", (0, 0, None))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site():
    with site_of({"/book.txt": BOOK}) as site:
        yield site


def test_a_text_is_kept_with_its_digest(site, tmp_path):
    source = source_of({"url": site.url + "/book.txt", "license": "MIT"})
    snapshot = fetched(source, tmp_path / "out")
    (entry,) = snapshot.entries()
    assert (entry.source, entry.path, entry.license) == ("book.txt", "book.txt", "MIT")
    assert contents(snapshot) == {"book.txt": BOOK}
    record = json.loads((tmp_path / "out/downloads.json").read_text())["book.txt"]
    assert record["sha256"] == hashlib.sha256(BOOK).hexdigest()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["downloads.json", "files"]


def test_a_snapshot_can_be_sent_to_another_process(site, tmp_path):
    snapshot = fetched(source_of(site.url + "/book.txt"), tmp_path / "out")
    assert contents(pickle.loads(pickle.dumps(snapshot))) == {"book.txt": BOOK}


def test_a_refused_download_is_brought_anew_the_next_time(site, tmp_path):
    digest = hashlib.sha256(BOOK).hexdigest()
    source = source_of({"url": site.url + "/book.txt", "sha256": digest})
    site.files["/book.txt"] = BOOK.upper()
    with pytest.raises(SourceError, match="as expected"):
        fetched(source, tmp_path)
    site.files["/book.txt"] = BOOK
    assert contents(fetched(source, tmp_path)) == {"book.txt": BOOK}


def test_the_resolution_follows_the_version_on_the_server(site):
    source = source_of(site.url + "/book.txt")
    before = source.resolve()
    assert source.resolve() == before
    assert site.methods() == ["HEAD", "HEAD"]
    site.files["/book.txt"] = b"changed"
    assert source.resolve() != before


def test_a_server_that_refuses_head_is_asked_otherwise(site):
    site.head_status = 405
    assert source_of(site.url + "/book.txt").resolve()["book.txt"].startswith('etag "')
    assert site.methods() == ["HEAD", "GET"]


def test_a_file_that_changes_between_two_halves_is_refused(site, tmp_path):
    source = source_of(site.url + "/book.txt")
    resolution = source.resolve()
    site.faults = ["cut"]
    fetch = source.fetch(resolution, tmp_path)
    next(fetch)
    site.files["/book.txt"] = BOOK.upper()
    with pytest.raises(SourceError, match="changed while it was fetched"):
        list(fetch)


def test_a_file_that_changes_before_it_is_fetched_is_refused(site, tmp_path):
    source = source_of(site.url + "/book.txt")
    resolution = source.resolve()
    site.files["/book.txt"] = b"changed"
    with pytest.raises(SourceError, match=r"changed while it was fetched .* run again, or pin"):
        list(source.fetch(resolution, tmp_path))


@pytest.mark.parametrize("validator", ["etag", "date"])
def test_a_broken_download_goes_on_where_it_ended(site, tmp_path, validator):
    site.validator = validator
    site.faults = ["cut", 503, None]
    source = source_of(site.url + "/book.txt")
    assert contents(fetched(source, tmp_path)) == {"book.txt": BOOK}
    asked = [headers.get("Range") for method, _, headers in site.requests if method == "GET"]
    half = f"bytes={len(BOOK) // 2}-"
    assert asked == [None, half, half]


def test_a_fetch_that_was_killed_goes_on_in_the_same_directory(site, tmp_path):
    source = source_of(site.url + "/book.txt")
    resolution = source.resolve()
    site.faults = ["cut"] * 3
    with pytest.raises(SourceError, match=r"book.txt: .* \(tried 3 times\)"):
        list(source.fetch(resolution, tmp_path))
    (partial,) = (tmp_path / "partial").rglob("book.txt")
    have = partial.stat().st_size
    assert 0 < have < len(BOOK)
    site.requests.clear()
    steps = list(source.fetch(resolution, tmp_path))
    assert steps[0].done > have
    assert site.requests[0][2]["Range"] == f"bytes={have}-"
    assert contents(source.open(tmp_path)) == {"book.txt": BOOK}


def test_a_whole_download_that_was_not_unpacked_is_not_brought_again(site, tmp_path):
    source = source_of(site.url + "/book.txt")
    resolution = source.resolve()
    site.faults = ["cut"] * 3
    with pytest.raises(SourceError, match="tried"):
        list(source.fetch(resolution, tmp_path))
    (partial,) = (tmp_path / "partial").rglob("book.txt")
    partial.write_bytes(BOOK)
    assert list(source.fetch(resolution, tmp_path)) == []
    assert contents(source.open(tmp_path)) == {"book.txt": BOOK}


@pytest.mark.parametrize("validator", ["weak", "none"])
def test_without_a_sure_version_a_broken_download_starts_over(site, tmp_path, validator):
    site.validator = validator
    site.faults = ["cut"]
    source = source_of(site.url + "/book.txt")
    assert contents(fetched(source, tmp_path)) == {"book.txt": BOOK}
    assert all("Range" not in headers for _, _, headers in site.requests)


def test_finished_downloads_are_not_asked_for_again(site, tmp_path):
    site.files["/b.txt"] = b"b"
    source = source_of(site.url + "/book.txt", site.url + "/b.txt")
    resolution = source.resolve()
    fetch = source.fetch(resolution, tmp_path)
    while next(fetch).note != "b.txt":
        pass
    del fetch
    site.requests.clear()
    list(source.fetch(resolution, tmp_path))
    assert [path for _, path, _ in site.requests] == ["/b.txt"]


def test_a_pinned_download_is_not_asked_about_and_must_fit(site, tmp_path):
    digest = hashlib.sha256(BOOK).hexdigest()
    source = source_of({"url": site.url + "/book.txt", "sha256": digest})
    assert source.resolve() == {"book.txt": f"sha256 {digest}"}
    assert site.requests == []
    assert contents(fetched(source, tmp_path / "good")) == {"book.txt": BOOK}
    wrong = source_of({"url": site.url + "/book.txt", "sha256": "0" * 64})
    with pytest.raises(SourceError, match=f"book.txt: has sha256 {digest}, not {'0' * 64}"):
        fetched(wrong, tmp_path / "bad")


def test_a_download_that_is_too_large_is_refused(site, tmp_path):
    with pytest.raises(SourceError, match="has 40,000 bytes or more, max_bytes allows 39,999"):
        fetched(source_of(site.url + "/book.txt", max_bytes=39_999), tmp_path)


def test_a_file_without_a_stated_length_is_refused_when_it_gets_too_large(tmp_path):
    with site_of({"/endless.txt": BOOK}) as site:
        site.headers = {"Content-Length": None, "Connection": "close"}
        with pytest.raises(SourceError, match=r"bytes or more, max_bytes allows 100$"):
            fetched(source_of(site.url + "/endless.txt", max_bytes=100), tmp_path)


def test_what_is_not_there_is_one_clear_line(site, tmp_path):
    with pytest.raises(SourceError, match=r"/nosuch\.txt: HTTP 404 Not Found$"):
        source_of(site.url + "/nosuch.txt").resolve()
    with pytest.raises(SourceError, match=r"file:///nosuch\.txt: no such file$"):
        source_of("file:///nosuch.txt").resolve()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/x: .*refused.* \(tried 3 times\)"):
        source_of("http://127.0.0.1:1/x").resolve()


def test_the_identity_of_a_local_file_is_its_content(tmp_path):
    path = tmp_path / "a b.txt"
    path.write_bytes(BOOK)
    source = source_of(f"file://{tmp_path}/a%20b.txt")
    resolution = source.resolve()
    path.touch()
    assert source.resolve() == resolution
    path.write_bytes(b"changed")
    with pytest.raises(SourceError, match="as expected"):
        list(source.fetch(resolution, tmp_path))


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "book.txt", "file://host/x", "https://me:secret@host/x", "http:///x"]
)
def test_urls_of_other_kinds_or_with_a_password_are_refused(url):
    with pytest.raises(ValidationError, match=r"is not http://|would be stored"):
        source_of(url)


def test_two_downloads_of_one_name_are_refused():
    with pytest.raises(ValidationError, match=r"two downloads are called 'a.txt'"):
        source_of("https://x.org/a.txt", "https://y.org/a.txt")


def test_names_never_leave_the_directory(tmp_path):
    labels = [
        source_of(f"https://x.org/{p}").urls[0].label for p in ("..", "%2e%2e%2fa", "", "é.t")
    ]
    assert labels == ["download", "a", "download", "_.t"]
