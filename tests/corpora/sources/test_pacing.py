"""Servers that drip, stall and lie, for each of the three HTTP clients."""

import hashlib
from types import SimpleNamespace

import pytest

from corpora.errors import SourceError
from corpora.sources import pacing
from corpora.sources.github import api as github_api
from corpora.sources.github import connection
from corpora.sources.pacing import Meter, Pace, PaceError
from corpora.sources.url import download
from corpora.sources.url.client import http_client
from tests.corpora.sources.url.urls import contents, source_of
from tests.faults.liar import Request, lying

QUICK = Pace(seconds=0.3, bytes_per_second=1_000, max_bytes=100_000)
BOOK = b"A book.\n" * 5_000
PART = 1_000


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(download, "PAUSES", (0, None))


@pytest.fixture
def liar():
    with lying(BOOK) as liar:
        yield liar


def drip_headers(request: Request):
    request.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000, piece=4)


def drip_chunk_size(request: Request):
    request.send(request.head(Transfer_Encoding="chunked", ETag=request.liar.etag))
    request.drip(b"10;" + b"a" * 10_000)


def endless_hints(request: Request):
    request.forever(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def part(request: Request):
    """The first thousand bytes of the range, as a server with a limit sends them."""
    first = request.start or 0
    body = request.liar.content[first : first + PART]
    span = f"bytes {first}-{first + len(body) - 1}/{len(request.liar.content)}"
    fields = {"Content_Range": span, "Content_Length": len(body), "ETag": request.liar.etag}
    request.send(request.head("206 Partial Content", **fields) + body)


def other_version(request: Request):
    """The rest of another file of the same length."""
    first = request.start or 0
    body = request.liar.content.upper()[first:]
    span = f"bytes {first}-{len(request.liar.content) - 1}/{len(request.liar.content)}"
    fields = {"Content_Range": span, "Content_Length": len(body), "ETag": '"other"'}
    request.send(request.head("206 Partial Content", **fields) + body)


def brought(liar, target, pace=QUICK):
    identity = download.ETAG + liar.etag
    with http_client(timeout_seconds=5, pace=pace) as client:
        steps = download.download(
            client, f"{liar.url}/a.txt", identity, target, max_bytes=len(BOOK)
        )
        return list(steps)


@pytest.mark.parametrize("fault", [drip_headers, drip_chunk_size])
def test_a_server_that_drips_is_given_up(fault, liar, tmp_path):
    liar.fault, liar.lies = fault, 9
    with pytest.raises(SourceError, match=r"too slow: .* bytes in \d+ s of waiting \(tried 2"):
        brought(liar, tmp_path / "a.txt")


def test_endless_early_hints_are_given_up(liar, tmp_path):
    liar.fault, liar.lies = endless_hints, 9
    with pytest.raises(SourceError, match="an answer of more than 100,000 bytes"):
        brought(liar, tmp_path / "a.txt")


def test_a_part_of_the_range_is_not_taken_for_the_file(liar, tmp_path):
    target = tmp_path / "a.txt"
    target.write_bytes(BOOK[:5])
    liar.fault = part
    brought(liar, target)
    assert target.read_bytes() == BOOK


def test_two_versions_are_never_mixed(liar, tmp_path):
    target = tmp_path / "a.txt"
    target.write_bytes(BOOK[:5])
    liar.fault = other_version
    brought(liar, target)
    assert target.read_bytes() == BOOK


@pytest.mark.parametrize(
    "text", ["\xb2", "9" * 5_000, "-1", "1m0s", "Wed, 21 Oct 9999 07:28:00 GMT"]
)
def test_an_absurd_pause_is_not_taken(text, liar, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_PAUSE_SECONDS", 0)
    liar.fault = lambda request: request.send(
        request.head("503 Busy", Retry_After=text, Content_Length=0)
    )
    brought(liar, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == BOOK


def test_the_body_of_a_redirect_is_not_read(liar, tmp_path):
    def redirect(request: Request):
        request.send(request.head("302 Found", Location="/b.txt"))
        request.forever(b"a" * 100_000)

    liar.fault = redirect
    brought(liar, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == BOOK


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://[::1"])
def test_a_redirect_away_from_http_is_refused(location, liar, tmp_path):
    liar.fault, liar.lies = (
        lambda request: request.send(request.head("302 Found", Location=location)),
        9,
    )
    with pytest.raises(SourceError):
        brought(liar, tmp_path / "a.txt")
    assert not (tmp_path / "a.txt").exists()


def test_a_login_page_is_not_taken_for_a_text(tmp_path):
    page = b"\n<!DOCTYPE html><form>Log in</form>"
    with lying(page) as liar, pytest.raises(SourceError, match="is a web page, it begins with"):
        source = source_of(f"{liar.url}/a.txt")
        list(source.fetch(source.resolve(), tmp_path))


def test_a_damaged_record_of_downloads_costs_another_download(tmp_path):
    (tmp_path / "book.txt").write_bytes(BOOK)
    source = source_of((tmp_path / "book.txt").as_uri())
    for damaged in (b"", b"[]", b'{"book.txt": {"sha256": 5}}', b"[" * 9_999):
        (tmp_path / "downloads.json").write_bytes(damaged)
        list(source.fetch(source.resolve(), tmp_path))
        assert contents(source.open(tmp_path)) == {"book.txt": BOOK}
        assert hashlib.sha256(BOOK).hexdigest() in (tmp_path / "downloads.json").read_text()


def test_github_that_drips_or_answers_no_json_is_one_line(liar, monkeypatch):
    monkeypatch.setattr(connection, "PACE", QUICK)
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    monkeypatch.setenv("CHARMILL_GITHUB_API", liar.url)
    liar.lies = 99
    for fault, words in ((drip_headers, "does not answer"), (no_json, "unreadable answer")):
        liar.fault = fault
        with pytest.raises(SourceError, match=words):
            github_api.list_repositories("some-one", private=False)


def drip_headers_just_fast_enough(request: Request):
    request.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 2_000, piece=40)


def test_a_server_that_is_just_fast_enough_holds_a_download_no_longer_than_the_deadline(
    liar, tmp_path
):
    pace = Pace(seconds=0.3, bytes_per_second=10, max_bytes=200_000, max_seconds=0.4)
    liar.fault, liar.lies = drip_headers_just_fast_enough, 10**9
    with pytest.raises(SourceError, match="no whole answer in 0 s of waiting"):
        brought(liar, tmp_path / "a.txt", pace)


def no_json(request: Request):
    request.send(request.head(Content_Length=7) + b"<html>\n")


def test_the_body_of_a_download_has_no_deadline(monkeypatch):
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    pace = Pace(seconds=30, bytes_per_second=0.1, max_seconds=25)
    head, body = Meter(pace), Meter(pace)
    body.allow(10**9)
    for _ in range(3):
        head.count(lambda: b"ab", len)
    with pytest.raises(PaceError, match="no whole answer in 25 s"):
        head.count(lambda: b"ab", len)
    for _ in range(20):
        body.count(lambda: b"ab", len)


def test_only_waiting_counts_and_not_the_wait_for_the_first_byte(monkeypatch):
    clock = iter([0, 100, 100.1, 200, 200.1, 300, 301])
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    meter = Meter(Pace(seconds=1, bytes_per_second=10, max_bytes=100))
    for _ in range(3):
        assert meter.count(lambda: b"ab", len) == b"ab"
    with pytest.raises(PaceError, match="too slow: 8 bytes in 1 s"):
        meter.count(lambda: b"ab", len)
