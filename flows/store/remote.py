"""Share finished runs between machines, on a disk or in a bucket.

<remote>/<stage>/<dataset>/<key>.json       record: the folder, and the digest of every file in it
<remote>/<stage>/<dataset>/<key>.<random>/  the files

The record is written last and atomically, and every copy has its own folder. So a partial copy is
never mistaken for a complete one, and two machines that send the same run at the same time do not
mix their files: one record wins. Fetched files are checked against the record before they are
published here. Nothing is deleted in the store, except the files of a copy that failed.
"""

import json
import logging
import posixpath
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from flows.errors import RemoteError, RemoteMisuseError, StageError
from flows.store.disk import sync
from flows.store.integrity import faults, verified
from flows.store.manifest import Manifest, run_number
from flows.store.runs import SET_ASIDE, StageRun, StageRuns
from system.files import make_folder, rename_aside, sha256_of, sync_path

logger = logging.getLogger(__name__)
ALLOWED = "s3://bucket/prefix or file:///folder"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "file": {},
    "s3": {"config_kwargs": {"retries": {"max_attempts": 0}, "connect_timeout": 10}},
}
"""Options of fsspec by scheme. Without botocore's own retries, which would multiply ours."""
ATTEMPTS = 3
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 10.0
USER_ERRORS = (FileNotFoundError, NotADirectoryError, PermissionError, ImportError, ValueError)
BOTOCORE_USER_ERRORS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
"""By name: botocore is installed only with the extra `s3`."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One remote store.

    Attributes:
        url: as the user gave it.
        files: its fsspec file system.
        root: path of the store on it.
    """

    url: str
    files: Any
    root: str

    @classmethod
    def at(cls, url: str) -> Self:
        """The store at a URL; does not check whether it exists.

        Raises:
            RemoteMisuseError: if the URL cannot name a store; says what is allowed.
        """
        from fsspec.core import url_to_fs

        scheme, _, rest = url.partition("://")
        if scheme not in OPTIONS or not rest.strip("/"):
            raise RemoteMisuseError(f"CHARMILL_REMOTE {url}: expected {ALLOWED}")
        try:
            # A run that another machine sent a minute ago must be visible.
            files, root = url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=True, **OPTIONS[scheme]
            )
        except ImportError:
            raise RemoteMisuseError(
                f"CHARMILL_REMOTE {url}: needs the extra s3: pip install 'charmill[s3]'"
            ) from None
        return cls(url=url, files=files, root=root.rstrip("/"))

    def check(self) -> None:
        """Make sure that the store exists; creates neither bucket nor folder.

        Raises:
            RemoteMisuseError: if it does not exist or may not be read.
            RemoteError: if it does not answer.
        """
        if self.url.startswith("file:"):
            self._retrying(lambda: self.files.ls(self.root))
            return
        bucket, _, prefix = self.root.partition("/")
        # s3fs's listings do not distinguish an empty prefix from a missing bucket.
        self._retrying(
            lambda: self.files.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        )

    def newest(self, runs: StageRuns, digest: str) -> StageRun | None:
        """The newest run with this digest that the store has, forced ones included.

        Raises:
            RemoteError: if the store does not answer.
        """
        pattern = self._path(runs, f"{digest}*.json")
        found = self._retrying(lambda: self.files.glob(pattern))
        keys = [posixpath.basename(path).removesuffix(".json") for path in found]
        newest = max(keys, key=run_number, default=None)
        return newest and runs.run(newest)

    def has(self, run: StageRun) -> bool:
        """Whether the store has a complete copy of a run.

        Raises:
            RemoteError: if the store does not answer.
        """
        record = self._path(run.runs, f"{run.key}.json")
        return self._retrying(lambda: self.files.exists(record))

    def send(self, run: StageRun) -> None:
        """Copy a finished run to the store.

        Raises:
            RemoteError: if the store does not accept it; nothing is lost here.
            DamageError: if a file of the run is damaged.
        """
        verified(run)
        name = f"{run.key}.{secrets.token_hex(4)}"
        there = self._path(run.runs, name)
        try:
            digests = dict(self._put(path, run.folder, there) for path in _files(run.folder))
            text = json.dumps({"folder": name, "files": digests}, indent=1, sort_keys=True)
            record = self._path(run.runs, f"{run.key}.json")
            self._retrying(lambda: self._put_whole(f"{text}\n".encode(), there, record))
        except BaseException:
            with suppress(Exception):
                self.files.rm(there, recursive=True)
            raise

    def fetch(self, run: StageRun) -> bool:
        """Publish a run of the store here; False if another process is executing it.

        Raises:
            RemoteError: if the store does not answer, or its copy is damaged.
        """
        with run.lock_if_free() as is_free:
            if not is_free:
                return False
            with _temporary(run.runs.folder / f".remote-{run.key}") as folder:
                self._download(run, folder)
                _check_manifest(folder, run)
                sync(folder)
                if not run.is_finished or faults(run):
                    if run.folder.exists():
                        rename_aside(run.folder, SET_ASIDE)
                    folder.rename(run.folder)
                    sync_path(run.runs.folder)
                shutil.rmtree(run.work, ignore_errors=True)
        logger.info("%s: %s fetched from %s", run.runs, run.key, self.url)
        return True

    def _download(self, run: StageRun, folder: Path) -> None:
        """Copy the files of a run into a folder, and compare their digests with the record."""
        record = self._path(run.runs, f"{run.key}.json")
        name, digests = _parsed(self._retrying(lambda: self.files.cat_file(record)), record)
        for path, digest in digests.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source = self._path(run.runs, name, path)
            self._retrying(partial(self.files.get_file, source, str(target)))
            if sha256_of(target) != digest:
                raise RemoteError(f"CHARMILL_REMOTE: {source} does not match {record}")

    def _path(self, runs: StageRuns, *parts: str) -> str:
        return posixpath.join(self.root, runs.stage, runs.dataset, *parts)

    def _put(self, path: Path, folder: Path, there: str) -> tuple[str, str]:
        """Copy one file; returns its name and digest."""
        name = path.relative_to(folder).as_posix()
        target = posixpath.join(there, name)

        def attempt() -> None:
            if self.url.startswith("file:"):
                self.files.makedirs(posixpath.dirname(target), exist_ok=True)
            self.files.put_file(str(path), target)

        self._retrying(attempt)
        return name, sha256_of(path)

    def _put_whole(self, content: bytes, there: str, target: str) -> None:
        """Write atomically: a bucket never stores part of an object.

        On a disk it is a rename, once all files of the run are on that disk: a record that outlives
        them in a power cut would promise what is not there.
        """
        if self.url.startswith("file:"):
            draft = posixpath.join(there, ".record")
            self.files.pipe_file(draft, content)
            sync(Path(there))
            self.files.mv(draft, target)
            for folder in (Path(target).parent, *Path(target).parent.parents[:2]):
                sync_path(folder)
        else:
            self.files.pipe_file(target, content)

    def _retrying(self, attempt: Callable[[], Result]) -> Result:
        """Retry transient errors; report what is wrong in one line.

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
        except Exception as error:  # noqa: BLE001 (every file system raises its own)
            words = " ".join(f"{type(error).__name__}: {error}".split())
            kind = RemoteMisuseError if _is_misuse(error) else RemoteError
            raise kind(f"CHARMILL_REMOTE {self.url}: {words}") from None


def _is_misuse(error: BaseException) -> bool:
    return isinstance(error, USER_ERRORS) or type(error).__name__ in BOTOCORE_USER_ERRORS


def _files(folder: Path) -> Iterator[Path]:
    """Every file of a run."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _parsed(content: bytes, record: str) -> tuple[str, Mapping[str, str]]:
    """The folder that a record names and the digests of its files, all inside that folder.

    Raises:
        RemoteError: if the record is invalid.
    """
    try:
        found = json.loads(content)
        name, digests = str(found["folder"]), dict(found["files"])
    except (ValueError, TypeError, KeyError) as error:
        raise RemoteError(
            f"CHARMILL_REMOTE: {record} is not the record of a run ({error})"
        ) from None
    for path in (name, *digests):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise RemoteError(f"CHARMILL_REMOTE: {record} names a path outside its folder: {path}")
    return name, digests


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """An empty folder for the block, deleted when it ends."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_manifest(folder: Path, run: StageRun) -> None:
    """Refuse files whose manifest names another run."""
    wanted = f"CHARMILL_REMOTE: {run.runs}, {run.key}"
    try:
        found = Manifest.load(folder)
    except (OSError, StageError) as error:
        raise RemoteError(f"{wanted}: {error}") from None
    if (found.stage, found.dataset, found.key) != (run.runs.stage, run.runs.dataset, run.key):
        raise RemoteError(f"{wanted}: holds {found.stage} of {found.dataset}, {found.key}")
