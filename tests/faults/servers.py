"""Servers of files that stall, drip, cut and lie: bounded time, one line, never half for whole."""

import gzip
import hashlib
import itertools
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from corpora.errors import SourceError
from corpora.sources.pacing import Pace
from corpora.sources.url import client as url_client
from corpora.sources.url import download
from corpora.sources.url.source import UrlSource
from tests.faults.liar import Request, lying
from tests.faults.table import Fault, LostError

TIMEOUT_SECONDS = 0.4
PACE = Pace(seconds=0.4, bytes_per_second=1_000, max_bytes=200_000)
LONGEST_SECONDS = 60.0
"""For three attempts with two waits of 0.4 s each; the rest is for a busy machine."""
MAX_BYTES = 400_000
RETRY_AFTER = (
    *("99999999999999999999", "9" * 5_000, "-1", "1m0s", "0.493", "\xb2", "\xb9\xb2", "", "nan"),
    *("Wed, 21 Oct 9999 07:28:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "1e9", "inf"),
)
"""As in urllib3#1822 ("1m0s"), urllib3#3743 (centuries) and others; \xb2 counts as a digit."""


def _whole(request: Request, **headers: object) -> bytes:
    fields: dict[str, object] = {
        "Content_Length": len(request.liar.content),
        "ETag": request.liar.etag,
    }
    return request.head(**(fields | headers))


def _drip_headers(request: Request) -> None:
    request.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000, piece=4)


def _drip_body(request: Request) -> None:
    request.send(_whole(request))
    request.drip(request.liar.content)


def _drip_chunks(request: Request) -> None:
    request.send(request.head(Transfer_Encoding="chunked", ETag=request.liar.etag))
    request.drip(b"10;" + b"a" * 10_000)


def _stall(request: Request) -> None:
    request.stall()


def _stall_in_headers(request: Request) -> None:
    request.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    request.stall()


def _stall_in_body(request: Request) -> None:
    request.send(_whole(request) + request.liar.content[:1_000])
    request.stall()


def _cut(request: Request) -> None:
    content = request.liar.content
    request.send(_whole(request) + content[: len(content) // 2])


def _cut_chunks(request: Request) -> None:
    head = request.head(Transfer_Encoding="chunked", ETag=request.liar.etag)
    request.send(head + b"%x\r\n" % 1_000 + request.liar.content[:1_000])


def _close(request: Request) -> None:
    del request


def _endless_headers(request: Request) -> None:
    request.send(b"HTTP/1.1 200 OK\r\n")
    request.forever(b"X-Header: " + b"a" * 1_000 + b"\r\n")


def _endless_hints(request: Request) -> None:
    request.forever(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)


def _endless_body(request: Request) -> None:
    request.send(request.head(ETag=request.liar.etag, Transfer_Encoding="chunked"))
    request.forever(b"2710\r\n" + b"a" * 10_000 + b"\r\n")


def _endless_redirect(request: Request) -> None:
    request.send(request.head("302 Found", Location=request.path + "x"))
    request.forever(b"a" * 100_000)


def _too_long(request: Request) -> None:
    length = len(request.liar.content) * 2
    request.send(_whole(request, Content_Length=length) + request.liar.content)


def _packed(request: Request) -> None:
    body = gzip.compress(b"\0" * 20_000_000)
    head = _whole(request, Content_Length=len(body), Content_Encoding="br")
    request.send(head + body)


def _redirect(location: str) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.send(request.head("302 Found", Location=location, Content_Length=0))

    return answer


def _busy(status: str, retry_after: str) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.send(request.head(status, Retry_After=retry_after, Content_Length=0))

    return answer


def _raw(data: bytes) -> Callable[[Request], None]:
    return lambda request: request.send(data)


def _login(request: Request) -> None:
    page = b"<!DOCTYPE html>\n<html><form>Log in</form></html>\n" * 50
    request.send(request.head(Content_Length=len(page), Content_Type="text/html") + page)


def _part(start: int, length: int, etag: str | None) -> Callable[[Request], None]:
    """A range that is not the one that was asked for, or not of the same file."""

    def answer(request: Request) -> None:
        content = request.liar.content
        first = (request.start or 0) + start
        body = (content if etag is None else content.upper())[first : first + length]
        span = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
        fields = {"Content_Range": span, "Content_Length": len(body)}
        fields |= {"ETag": request.liar.etag if etag is None else etag} if etag != "" else {}
        request.send(request.head("206 Partial Content", **fields) + body)

    return answer


FAULTS_OF_ANSWERS: dict[str, Callable[[Request], None]] = {
    "dripped headers": _drip_headers,
    "dripped body": _drip_body,
    "dripped chunk size": _drip_chunks,
    "nothing": _stall,
    "half a header": _stall_in_headers,
    "half a body, then nothing": _stall_in_body,
    "half a body": _cut,
    "half a chunk": _cut_chunks,
    "closed": _close,
    "endless headers": _endless_headers,
    "endless hints": _endless_hints,
    "endless body": _endless_body,
    "endless redirect": _endless_redirect,
    "longer than it is": _too_long,
    "packed unasked": _packed,
    "redirected to itself": _redirect("/a.txt"),
    "redirected to a file": _redirect("file:///etc/passwd"),
    "redirected to ftp": _redirect("ftp://127.0.0.1/a.txt"),
    "redirected nowhere": _redirect("http://[::1"),
    "redirected to a port": _redirect("http://127.0.0.1:99999999/"),
    "redirected to garbage": _redirect("\x00\xff//\x7f"),
    "no status": _raw(b"\x16\x03\x01\x02garbage\r\n\r\n"),
    "a status of letters": _raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a length of many digits": _raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n"
    ),
    "a negative length": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    "two lengths": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na"),
    "no content": _raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "a login page": _login,
    "a range not asked for": _part(3, 10**9, None),
    "half a range": _part(0, 100, None),
    "a range of another file": _part(0, 10**9, '"other"'),
    "a range of no version": _part(0, 10**9, ""),
    **{f"503, wait {text[:30]!r}": _busy("503 Busy", text) for text in RETRY_AFTER},
    **{f"429, wait {text[:30]!r}": _busy("429 Slow Down", text) for text in RETRY_AFTER},
}


_THREAD = threading.local()
"""`is_lied_to` in a thread that is about to ask a liar: only then is its patience short."""


def _configure() -> None:
    """Short limits for this process."""
    download.PAUSES = (0, 0, None)
    download.MAX_PAUSE_SECONDS = 0
    real = url_client.http_client
    if getattr(real, "is_short", False):
        return

    def short() -> object:
        is_lied_to = getattr(_THREAD, "is_lied_to", False)
        return real(timeout_seconds=TIMEOUT_SECONDS, pace=PACE) if is_lied_to else real()

    short.is_short = True  # type: ignore[attr-defined]
    url_client.http_client = short  # type: ignore[assignment]


def fetch_through(name: str, random: Random) -> None:
    """Fetch a file from a server with this fault, then from an honest one."""
    _configure()
    content = random.randbytes(random.randrange(2_000, 100_000)).hex().encode()
    pinned = random.random() < 0.3
    with lying(content) as liar, tempfile.TemporaryDirectory() as folder:
        one = {"url": f"{liar.url}/a.txt"}
        if pinned:
            one["sha256"] = hashlib.sha256(content).hexdigest()
        described = UrlSource.model_validate({"kind": "url", "urls": [one], "max_bytes": MAX_BYTES})
        resolution = described.resolve()
        if random.random() < 0.5:  # a part is there from an earlier attempt
            liar.fault, liar.lies = _cut, 10**9
            _attempt(described, resolution, Path(folder), content)
            liar.asked = 0
        liar.fault, liar.lies = FAULTS_OF_ANSWERS[name], random.choice((1, 2, 10**9))
        began = time.monotonic()
        _THREAD.is_lied_to = True
        try:
            whole = _attempt(described, resolution, Path(folder), content)
        finally:
            _THREAD.is_lied_to = False
        seconds = time.monotonic() - began
        if seconds > LONGEST_SECONDS:
            raise LostError(f"{name}: held for {seconds:.0f} s")
        if whole is None:
            liar.fault = None
            if _attempt(described, resolution, Path(folder), content) is None:
                raise LostError(f"{name}: an honest server is of no use afterwards")


def _attempt(
    described: UrlSource, resolution: dict[str, str], folder: Path, content: bytes
) -> bytes | None:
    """Fetch; None if that ends in one line. What counts as whole must be the file."""
    try:
        for _ in described.fetch(resolution, folder):
            pass
    except SourceError as error:
        assert "\n" not in str(error), error
        return None
    snapshot = described.open(folder)
    (read,) = [read for _, read in snapshot.read(snapshot.entries())]
    if read != content:
        raise LostError(f"{len(read or b''):,} bytes passed for the file of {len(content):,}")
    return read


def _one_answer(random: Random) -> None:
    fetch_through(random.choice(list(FAULTS_OF_ANSWERS)), random)


def _all_answers(random: Random) -> None:
    """Every fault once, a few at a time: most of the time is spent waiting."""
    names = iter(list(FAULTS_OF_ANSWERS))
    lock, losses = threading.Lock(), []

    def work(own: Random) -> None:
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                return
            try:
                fetch_through(name, own)
            except Exception as error:  # noqa: BLE001 (any is a loss, and is raised below)
                losses.append((name, error))

    threads = [threading.Thread(target=work, args=(Random(random.random()),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, error in itertools.islice(losses, 1):
        raise LostError(f"{name}: {type(error).__name__}: {error}") from error


FAULTS = [
    Fault(name="web server, one lie", rounds=300, short_rounds=6, run=_one_answer, seconds=120),
    Fault(name="web server, every lie", rounds=10, short_rounds=0, run=_all_answers, seconds=280),
]
