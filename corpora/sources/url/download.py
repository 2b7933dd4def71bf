"""Download files by URL: find which version is there now, then bring exactly that one.

A version is the server's ETag or date, or the digest of a local file, as the text that `identify`
returns. An interrupted download resumes if that version is still there, starts over if the server
cannot tell, and is refused if the file has changed. Transient failures (timeouts, answers that are
too slow, broken connections, 429, 5xx) are retried with growing pauses.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from corpora.errors import SourceError
from corpora.sources.local_paths import check_local
from system.progress import Progress

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

PAUSES: tuple[float | None, ...] = (1, 4, 16, None)
"""Seconds to wait after each transient failure; None: no further attempt."""
MAX_PAUSE_SECONDS = 60
CHUNK_BYTES = 2**20
TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
UNVERSIONED = "unversioned"
ETAG, DATE, SHA256 = "etag ", "last-modified ", "sha256 "
MAX_REDIRECTS = 20
UNPACKED_LATER = {"identity", "gzip", "x-gzip", ""}
"""Content encodings that do no harm: some servers call every .gz file gzip-encoded."""
RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class TransientDownloadError(SourceError):
    """A failure that a retry may cure; `retry_after` is the server's request, in seconds."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def identify(client: "httpx.Client", url: str) -> str:
    """Look up which version of the file is there now, without downloading it.

    Raises:
        SourceError: if there is no such file.
    """
    if urlsplit(url).scheme == "file":
        return SHA256 + sha256_of(_local_file(url))
    for pause in PAUSES:
        try:
            return _look(client, url)
        except TransientDownloadError as error:
            _wait(error, pause)
    raise AssertionError


def download(
    client: "httpx.Client",
    url: str,
    identity: str,
    target: Path,
    *,
    max_bytes: int,
) -> Iterator[Progress]:
    """Download one version of a file to `target`, resuming at the end of `target`.

    Args:
        identity: what `identify` returned, or "sha256 ..." for any version with that digest (which
            the caller checks).
        max_bytes: refuse a larger file.

    Raises:
        SourceError: if there is no such file, it is too large, or its version has changed.
    """
    if urlsplit(url).scheme == "file":
        yield from _copy(url, target, max_bytes)
        return
    for pause in PAUSES:
        try:
            yield from _attempt(client, url, identity, target, max_bytes)
        except TransientDownloadError as error:
            _wait(error, pause)
        else:
            return


def sha256_of(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local_file(url: str) -> Path:
    path = Path(url2pathname(urlsplit(url).path))
    check_local(path)
    if not path.is_file():
        raise SourceError(f"{url}: no such file")
    return path


def _copy(url: str, target: Path, max_bytes: int) -> Iterator[Progress]:
    path = _local_file(url)
    total = path.stat().st_size
    _check_size(url, total, max_bytes)
    with path.open("rb") as file, target.open("wb") as copy:
        while chunk := file.read(CHUNK_BYTES):
            copy.write(chunk)
            yield Progress(done=copy.tell(), total=total, unit="bytes", note=target.name)


def _check_size(url: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise SourceError(f"{url}: has {size:,} bytes or more, max_bytes allows {max_bytes:,}")


def _look(client: "httpx.Client", url: str) -> str:
    with _answer(client, "HEAD", url) as response:
        if response.is_success:
            return _identity(response)
    # Some servers refuse HEAD, others sign their URLs for GET only.
    with _answer(client, "GET", url) as response:
        _check_status(response, url)
        return _identity(response)


def _identity(response: "httpx.Response") -> str:
    headers = response.headers
    if "etag" in headers:
        return ETAG + headers["etag"]
    return DATE + headers["last-modified"] if "last-modified" in headers else UNVERSIONED


def _attempt(
    client: "httpx.Client", url: str, identity: str, target: Path, max_bytes: int
) -> Iterator[Progress]:
    range_headers = _range_headers(identity, target)
    with _answer(client, "GET", url, range_headers) as response:
        have = target.stat().st_size if range_headers else 0
        content_range = response.headers.get("content-range", "")
        if response.status_code == 416 and content_range == f"bytes */{have}":
            return
        if response.status_code != 416:
            _check_status(response, url)
        if response.status_code == 200:
            _check_version(response, url, identity)
            whole = None
            have = 0
        else:
            whole = _resumed(response, identity, have)
            if whole is None:
                target.unlink(missing_ok=True)
                raise TransientDownloadError(f"{url}: cannot resume at byte {have}, starting over")
        yield from _write(response, url, target, have, max_bytes)
    if whole is not None and target.stat().st_size < whole:
        raise TransientDownloadError(f"{url}: sent a part of the range that was asked for")


def _resumed(response: "httpx.Response", identity: str, have: int) -> int | None:
    """The size of the whole file, if this is the rest of the same version from byte `have`."""
    sent = RANGE.fullmatch(response.headers.get("content-range", ""))
    if sent is None or int(sent[1]) != have:
        return None
    is_same = identity.startswith(SHA256) or _identity(response) == identity
    return int(sent[2]) if is_same else None


def _range_headers(identity: str, target: Path) -> dict[str, str]:
    """Request the rest of `target`, provided that it is the rest of the same version."""
    if not target.exists() or target.stat().st_size == 0:
        return {}
    rest = {"Range": f"bytes={target.stat().st_size}-"}
    if identity.startswith(SHA256):
        return rest
    for prefix in (ETAG, DATE):
        validator = identity.removeprefix(prefix)
        # A weak ETag promises equal meaning, not equal bytes (RFC 9110, 13.1.5).
        if identity.startswith(prefix) and not validator.startswith("W/"):
            return rest | {"If-Range": validator}
    return {}


def _write(
    response: "httpx.Response", url: str, target: Path, done: int, max_bytes: int
) -> Iterator[Progress]:
    """Append the response to the first `done` bytes of `target`."""
    from corpora.sources.url.client import allow_body

    allow_body(response, max_bytes)
    headers = response.headers
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in UNPACKED_LATER:
        raise SourceError(f"{url}: is sent packed as {encoding[:30]!r}, which was not asked for")
    length = re.fullmatch("[0-9]{1,18}", headers.get("content-length", ""))
    total = done + int(length[0]) if length else None
    if total is None and "transfer-encoding" not in headers:
        logger.warning("%s: its length is unknown, so a missing end would go unnoticed", url)
    with target.open("ab" if done else "wb") as file:
        _check_size(url, total or 0, max_bytes)
        # Unbuffered: httpx would hold back, and lose at a failure, less than a chunk.
        for chunk in response.iter_raw():
            done += len(chunk)
            _check_size(url, done, max_bytes)
            file.write(chunk)
            yield Progress(done=done, total=total, unit="bytes", note=target.name)
        file.flush()
        os.fsync(file.fileno())


def _check_status(response: "httpx.Response", url: str) -> None:
    if not response.is_success:
        raise SourceError(f"{url}: HTTP {response.status_code} {response.reason_phrase}")


def _check_version(response: "httpx.Response", url: str, identity: str) -> None:
    now = _identity(response)
    known = identity.startswith((ETAG, DATE))
    if known and now != identity:
        raise SourceError(
            f"{url}: changed while it was fetched ({identity} is now {now}); "
            "run again, or pin its sha256"
        )


@contextmanager
def _answer(
    client: "httpx.Client", method: str, url: str, headers: Mapping[str, str] | None = None
) -> Iterator["httpx.Response"]:
    """Send a request; any failure until the last byte is read becomes a SourceError."""
    import httpx

    try:
        with closing(_redirected(client, client.build_request(method, url, headers=headers))) as r:
            if r.status_code in TRANSIENT_STATUS:
                raise TransientDownloadError(
                    f"{url}: HTTP {r.status_code} {r.reason_phrase}",
                    retry_after=_seconds(r.headers.get("retry-after", "")),
                )
            yield r
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise SourceError(f"{url}: {error}") from None
    except httpx.TransportError as error:
        raise TransientDownloadError(f"{url}: {error or type(error).__name__}") from None


def _redirected(client: "httpx.Client", request: "httpx.Request") -> "httpx.Response":
    """The answer after all redirects; httpx would read the body of each one into memory."""
    import httpx

    for _ in range(MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        if response.next_request is None:
            return response
        response.close()
        request = response.next_request
    raise httpx.TooManyRedirects(f"more than {MAX_REDIRECTS} redirects", request=request)


def _seconds(retry_after: str) -> float:
    """The pause that a server asks for, 0 if it names a date or nothing sensible."""
    return float(retry_after) if re.fullmatch("[0-9]{1,9}", retry_after) else 0


def _wait(error: TransientDownloadError, pause: float | None) -> None:
    """Wait before the next attempt; raise the error if there is none."""
    if pause is None:
        raise SourceError(f"{error} (tried {len(PAUSES)} times)") from None
    seconds = min(max(pause, error.retry_after), MAX_PAUSE_SECONDS)
    logger.warning("%s; retrying in %.0f s", error, seconds)
    time.sleep(seconds)
