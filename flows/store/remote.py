"""Finished stages on a disk or in a bucket that several machines share: what one made, all have.

<remote>/<stage>/<dataset>/<key>.json       names the folder and the digest of every file in it
<remote>/<stage>/<dataset>/<key>.<random>/  the files

The record comes last and in one step, and every copy has a folder of its own. So half a copy is
never taken for whole, and two machines that send the same run at once do not mix theirs: one
record wins. What is fetched is checked against the record before it is published here. Nothing is
deleted there, but for the files of a copy that broke.
"""

import hashlib
import json
import posixpath
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from flows.errors import RemoteError, RemoteMisuseError
from flows.store.stage import run_number

ALLOWED = "s3://bucket/prefix or file:///folder"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "file": {},
    "s3": {"config_kwargs": {"retries": {"max_attempts": 0}, "connect_timeout": 10}},
}
"""Of fsspec, by scheme. The attempts are counted here: botocore's own would multiply them."""
ATTEMPTS = 3
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 10.0
MISTAKES = (FileNotFoundError, NotADirectoryError, PermissionError, ImportError, ValueError)
BOTOCORE_MISTAKES = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
"""By name: botocore is only there with the extra `s3`."""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One remote store.

    Attributes:
        url: as the user wrote it.
        files: its file system, as fsspec has it.
        root: where the store begins on it.
    """

    url: str
    files: Any
    root: str

    @classmethod
    def at(cls, url: str) -> Self:
        """The store that a URL names; does not ask whether it is there.

        Raises:
            RemoteMisuseError: if it cannot be a store; says what is allowed.
        """
        from fsspec.core import url_to_fs

        scheme, _, rest = url.partition("://")
        if scheme not in OPTIONS or not rest.strip("/"):
            raise RemoteMisuseError(f"CHARMILL_REMOTE {url}: expected {ALLOWED}")
        try:
            # What another machine has sent a minute ago must be seen.
            files, root = url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=True, **OPTIONS[scheme]
            )
        except ImportError:
            raise RemoteMisuseError(
                f"CHARMILL_REMOTE {url}: needs the extra s3: pip install 'charmill[s3]'"
            ) from None
        return cls(url=url, files=files, root=root.rstrip("/"))

    def check(self) -> None:
        """Make sure that the store is there: neither a bucket nor a folder is made by itself.

        Raises:
            RemoteMisuseError: if it is not there or may not be read.
            RemoteError: if it does not answer.
        """
        if self.url.startswith("file:"):
            self._persistently(lambda: self.files.ls(self.root))
            return
        bucket, _, prefix = self.root.partition("/")
        # The listings of s3fs do not tell an empty prefix from a bucket that does not exist.
        self._persistently(
            lambda: self.files.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        )

    def newest(self, stage: str, dataset: str, digest: str) -> str | None:
        """The key of the newest run with this digest, forced ones included.

        Raises:
            RemoteError: if the store does not answer.
        """
        pattern = posixpath.join(self.root, stage, dataset, f"{digest}*.json")
        found = self._persistently(lambda: self.files.glob(pattern))
        keys = [posixpath.basename(path).removesuffix(".json") for path in found]
        return max(keys, key=run_number, default=None)

    def has(self, stage: str, dataset: str, key: str) -> bool:
        """Whether a whole copy of a run is there.

        Raises:
            RemoteError: if the store does not answer.
        """
        record = self._path(stage, dataset, f"{key}.json")
        return self._persistently(lambda: self.files.exists(record))

    def send(self, folder: Path, stage: str, dataset: str, key: str) -> None:
        """Copy a finished run there.

        Raises:
            RemoteError: if the store does not take it; nothing is lost here.
        """
        name = f"{key}.{secrets.token_hex(4)}"
        there = self._path(stage, dataset, name)
        try:
            digests = dict(self._put(path, folder, there) for path in _files(folder))
            text = json.dumps({"folder": name, "files": digests}, indent=1, sort_keys=True)
            record = self._path(stage, dataset, f"{key}.json")
            self._persistently(lambda: self._put_whole(f"{text}\n".encode(), there, record))
        except BaseException:
            with suppress(Exception):
                self.files.rm(there, recursive=True)
            raise

    def fetch(self, stage: str, dataset: str, key: str, folder: Path) -> None:
        """Copy a run into a folder here.

        Raises:
            RemoteError: if the store does not answer, or a file is not what its record says.
        """
        record = self._path(stage, dataset, f"{key}.json")
        name, digests = _parsed(self._persistently(lambda: self.files.cat_file(record)), record)
        for path, digest in digests.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source = self._path(stage, dataset, name, path)
            self._get(source, target)
            if _digest(target) != digest:
                raise RemoteError(f"CHARMILL_REMOTE: {source} is not what {record} says")

    def _path(self, *parts: str) -> str:
        return posixpath.join(self.root, *parts)

    def _get(self, source: str, target: Path) -> None:
        self._persistently(lambda: self.files.get_file(source, str(target)))

    def _put(self, path: Path, folder: Path, there: str) -> tuple[str, str]:
        """Copy one file; give its name and digest."""
        name = path.relative_to(folder).as_posix()
        target = posixpath.join(there, name)

        def attempt() -> None:
            if self.url.startswith("file:"):
                self.files.makedirs(posixpath.dirname(target), exist_ok=True)
            self.files.put_file(str(path), target)

        self._persistently(attempt)
        return name, _digest(path)

    def _put_whole(self, content: bytes, there: str, target: str) -> None:
        """On a disk, by a rename; a bucket takes an object whole or not at all."""
        if self.url.startswith("file:"):
            draft = posixpath.join(there, ".record")
            self.files.pipe_file(draft, content)
            self.files.mv(draft, target)
        else:
            self.files.pipe_file(target, content)

    def _persistently(self, attempt: Callable[[], Found]) -> Found:
        """Try a few times where that may help; say what is wrong in one line.

        Raises:
            RemoteError: in place of whatever the file system raises.
        """
        trying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=MAX_PAUSE_SECONDS),
            retry=retry_if_exception(lambda e: isinstance(e, Exception) and not _is_misuse(e)),
            reraise=True,
        )
        try:
            return trying(attempt)
        except Exception as error:  # noqa: BLE001 (every file system has its own)
            words = " ".join(f"{type(error).__name__}: {error}".split())
            kind = RemoteMisuseError if _is_misuse(error) else RemoteError
            raise kind(f"CHARMILL_REMOTE {self.url}: {words}") from None


def _is_misuse(error: BaseException) -> bool:
    return isinstance(error, MISTAKES) or type(error).__name__ in BOTOCORE_MISTAKES


def _files(folder: Path) -> Iterator[Path]:
    """Every file of a run."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(content: bytes, record: str) -> tuple[str, Mapping[str, str]]:
    """The folder and the files that a record names; none of them may lead out of it.

    Raises:
        RemoteError: if it is no such record.
    """
    try:
        found = json.loads(content)
        name, digests = str(found["folder"]), dict(found["files"])
    except (ValueError, TypeError, KeyError) as error:
        raise RemoteError(f"CHARMILL_REMOTE: {record} is no record of a run ({error})") from None
    for path in (name, *digests):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise RemoteError(f"CHARMILL_REMOTE: {record} leads out of its folder: {path}")
    return name, digests
