"""Files on the web or on this machine, by URL: texts, and archives of texts.

Every download is recorded with its sha256. A pinned one must have its pinned digest, and no request
is made before it is fetched. The unpacked size of archives is limited.
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from corpora.document import Entry, Snapshot
from corpora.errors import SourceError
from corpora.sources.source import Resolution, SourceModel
from corpora.sources.url.archive import (
    Limits,
    check_claim,
    list_members,
    plain_name,
    read_members,
    unpack,
)
from corpora.sources.url.download import SHA256, download, identify, sha256_of
from system.display import secret_in
from system.files import write_whole
from system.progress import Progress

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)
FILES, PARTIAL = "files", "partial"
DOWNLOADS = "downloads.json"


def _url(text: str) -> str:
    if secret := secret_in(text):
        raise ValueError(
            f"the URL contains {secret}, which would be stored and displayed; download the file "
            "yourself and give its file:/// URL"
        )
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.hostname:
        return text
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return text
    given = "this" if "@" in text else repr(text)
    raise ValueError(f"{given} is not http://host/..., https://host/... or file:///...")


class Download(BaseModel):
    """One file.

    Attributes:
        url: of a text, or of a `.zip`, `.tar`, `.gz`, `.xz` or `.bz2` of texts.
        sha256: pins the file to this digest; without it, a changed file is fetched again.
        name: what the ledger calls it; by default the last part of the URL.
        license: SPDX expression that holds for all its texts that state none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_url)]
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    name: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")
    license: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of the URL's path."""
        last = unquote(urlsplit(self.url).path).rstrip("/").rsplit("/", 1)[-1]
        return re.sub(r"[^\w.-]", "_", last, flags=re.ASCII).lstrip(".-") or "download"

    @property
    def label(self) -> str:
        """Its name: as given, or the last part of its URL."""
        return self.name or self.file_name

    @property
    def text_path(self) -> str:
        """The path of its text if it is not an archive: with the extension of the URL."""
        return plain_name(self.file_name if "." in self.file_name else self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRecord:
    """What is recorded about a finished download.

    Attributes:
        identity: its version, as in the resolution.
        sha256, bytes: of the file as downloaded.
        kept_bytes: of the file as stored, decompressed.
    """

    url: str
    identity: str
    sha256: str
    bytes: int
    kept_bytes: int


def _with_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class UrlSource(SourceModel):
    """One or more files; a plain URL is short for `{url = "..."}`.

    Attributes:
        urls: at least one.
        license: SPDX expression for files that name none themselves.
        max_bytes: of one download.
        max_unpacked_bytes: of what one download unpacks to.
        max_ratio: of the size of what one download unpacks to, to its own.
    """

    kind: Literal["url"]
    urls: tuple[Annotated[Download, BeforeValidator(_with_url)], ...] = Field(min_length=1)
    license: str | None = None
    max_bytes: int = Field(default=1_000_000_000, gt=0)
    max_unpacked_bytes: int = Field(default=10_000_000_000, gt=0)
    max_ratio: int = Field(default=100, gt=0)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "UrlSource":
        labels = [one.label for one in self.urls]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two downloads are called {twice[0]!r}: give one a `name`")
        return self

    def resolve(self) -> Resolution:
        """Look up the present version of every file; none is looked up that is pinned.

        Raises:
            SourceError: if a file does not exist.
        """
        with _client() as client:
            return {
                one.label: SHA256 + one.sha256 if one.sha256 else identify(client, one.url)
                for one in self.urls
            }

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Download every file that is not in `directory` in that version.

        Raises:
            SourceError: if a file does not exist, has another digest, or is too large.
        """
        (directory / FILES).mkdir(exist_ok=True)
        (directory / PARTIAL).mkdir(exist_ok=True)
        records = _load_records(directory)
        with _client() as client:
            for one in self.urls:
                identity = resolution[one.label]
                if not _is_current(records.get(one.label), identity, directory / FILES / one.label):
                    yield from self._bring(client, one, identity, directory, records)
        shutil.rmtree(directory / PARTIAL)

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` stored in `directory`."""
        return UrlSnapshot(directory / FILES, self)

    def _bring(
        self,
        client: "httpx.Client",
        one: Download,
        identity: str,
        directory: Path,
        records: dict[str, DownloadRecord],
    ) -> Iterator[Progress]:
        """Download, check, unpack and record one file."""
        tag = hashlib.sha256(identity.encode()).hexdigest()[:16]
        partial = directory / PARTIAL / tag / one.label
        partial.parent.mkdir(exist_ok=True)
        yield from download(client, one.url, identity, partial, max_bytes=self.max_bytes)
        try:
            record, ready = self._accept(one, identity, partial)
        except SourceError:
            # Otherwise the next run would resume with a wrong file.
            partial.unlink(missing_ok=True)
            raise
        # In this order, a kill at any point costs no further download.
        kept = directory / FILES / one.label
        kept.unlink(missing_ok=True)
        records[one.label] = record
        _write_json(directory / DOWNLOADS, {name: asdict(r) for name, r in records.items()})
        ready.replace(kept)
        partial.unlink(missing_ok=True)

    def _accept(self, one: Download, identity: str, partial: Path) -> tuple[DownloadRecord, Path]:
        """Check a finished download; return its record and the file to store."""
        digest, size = sha256_of(partial), partial.stat().st_size
        if identity.startswith(SHA256) and identity != SHA256 + digest:
            wanted = identity.removeprefix(SHA256)
            raise SourceError(f"{one.url}: has sha256 {digest}, not {wanted} as expected")
        check_claim(partial, one.file_name, one.url)
        limits = Limits(max_bytes=self.max_unpacked_bytes, max_ratio=self.max_ratio)
        ready = unpack(partial, limits, one.url)
        record = DownloadRecord(
            url=one.url,
            identity=identity,
            sha256=digest,
            bytes=size,
            kept_bytes=ready.stat().st_size,
        )
        return record, ready


@dataclass(frozen=True, slots=True)
class UrlSnapshot:
    """Reads the files that `UrlSource.fetch` stored."""

    files: Path
    source: UrlSource

    def entries(self) -> Iterator[Entry]:
        """List the downloads in the given order, the members of each in archive order."""
        for one in self.source.urls:
            for member in list_members(self.files / one.label, one.text_path):
                yield Entry(
                    source=one.label,
                    path=member.path,
                    size=member.size,
                    handle=member.handle,
                    problem=member.problem,
                    license=one.license or self.source.license,
                )

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read the bytes of texts as they were downloaded."""
        for label, group in groupby(entries, key=lambda entry: entry.source):
            yield from read_members(self.files / label, group)


def _client() -> "httpx.Client":
    from corpora.sources.url.client import http_client  # httpx takes 0.17 s

    return http_client()


def _is_current(record: DownloadRecord | None, identity: str, kept: Path) -> bool:
    return (
        record is not None
        and record.identity == identity
        and kept.is_file()
        and kept.stat().st_size == record.kept_bytes
    )


def _load_records(directory: Path) -> dict[str, DownloadRecord]:
    """The records of finished downloads; none if their file is damaged: all are fetched again."""
    path = directory / DOWNLOADS
    try:
        return TypeAdapter(dict[str, DownloadRecord]).validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError):
        logger.warning("%s: damaged; everything is fetched again", path)
        return {}


def _write_json(path: Path, data: Any) -> None:
    write_whole(path, (json.dumps(data, indent=1) + "\n").encode())
