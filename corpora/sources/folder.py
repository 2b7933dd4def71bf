"""A folder on this machine, stored as one uncompressed tar of paths and contents only.

Later stages read the tar, so changes to the folder after a fetch have no effect. The identity of a
folder is the digest of its paths and contents, so `resolve` reads every file once.
"""

import hashlib
import os
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast
from urllib.parse import quote_from_bytes

from pathspec import GitIgnoreSpec
from pydantic import Field

from corpora.document import Entry, Snapshot
from corpora.errors import SourceError
from corpora.globs import Glob
from corpora.sources.local_paths import check_local
from corpora.sources.source import Resolution, SourceModel
from system.damage import explaining_damage
from system.progress import Progress

SNAPSHOT = "folder.tar"
TWO_FILES = "two files of this name"
"""The problem of every file but the first of its name."""
PLACEHOLDERS = {"{stdlib}": lambda: sysconfig.get_paths()["stdlib"]}


class FolderSource(SourceModel):
    """A folder of text files.

    Attributes:
        path: may begin with `~`, or with `{stdlib}`, the standard library of the running
            interpreter.
        include: gitignore-style patterns; files that match none are ignored.
        exclude: gitignore-style patterns; files that match any are ignored.
        license: SPDX expression that holds for all files.
    """

    kind: Literal["folder"]
    path: str
    include: tuple[Glob, ...] = Field(default=("*",), min_length=1)
    exclude: tuple[Glob, ...] = ()
    license: str | None = None

    @property
    def root(self) -> Path:
        """The folder, with the placeholder replaced."""
        text = self.path
        for placeholder, value in PLACEHOLDERS.items():
            text = text.replace(placeholder, value())
        return Path(text).expanduser()

    def resolve(self) -> Resolution:
        """Compute the digest of all paths and contents.

        Raises:
            SourceError: if there is no such folder, or no file in it matches.
        """
        digest = hashlib.sha256()
        files = self._files()
        for path, name in files:
            with path.open("rb") as file:
                digest.update(name + b"\0" + hashlib.file_digest(file, "sha256").digest())
        if not files:
            raise SourceError(f"{self.root}: no file matches {', '.join(self.include)}")
        return {"digest": digest.hexdigest()}

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Copy the folder's files into a snapshot under `directory`.

        Raises:
            SourceError: if the folder has changed since `resolution`.
        """
        files = self._files()
        digest = hashlib.sha256()
        with _tar(directory / SNAPSHOT, "w") as tar:
            for done, (path, name) in enumerate(files, start=1):
                digest.update(name + b"\0" + _add(tar, _text(name), path))
                yield Progress(done=done, total=len(files), unit="files")
        if digest.hexdigest() != resolution["digest"]:
            raise SourceError(f"{self.root}: changed while it was read; run again")

    def open(self, directory: Path) -> Snapshot:
        """Open the tar that `fetch` wrote."""
        return FolderSnapshot(directory / SNAPSHOT, self.root.name or "folder", self.license)

    def _files(self) -> list[tuple[Path, bytes]]:
        """List regular files with their names as bytes, in the order of the names."""
        root = self.root
        check_local(root)
        if not root.is_dir():
            raise SourceError(f"{root}: no such folder")
        wanted, unwanted = (
            GitIgnoreSpec.from_lines(lines) for lines in (self.include, self.exclude)
        )
        found = []
        for parent, folders, names in os.walk(root):
            relative = Path(parent).relative_to(root)
            inside = {name: os.fsencode(relative / name) for name in (*folders, *names)}
            folders[:] = [f for f in folders if not unwanted.match_file(f"{_text(inside[f])}/")]
            for name in names:
                path, text = Path(parent, name), _text(inside[name])
                if wanted.match_file(text) and not unwanted.match_file(text) and _is_plain(path):
                    found.append((path, inside[name]))
        return sorted(found, key=lambda pair: pair[1])


@dataclass(frozen=True, slots=True)
class FolderSnapshot:
    """Reads the tar that `FolderSource.fetch` wrote."""

    tar_path: Path
    source: str
    license: str | None

    def entries(self) -> Iterator[Entry]:
        """List the members in the order of their names.

        Raises:
            SourceError: if the tar is damaged.
        """
        with self._opened() as tar:
            for member in self._members(tar):
                yield Entry(
                    source=self.source,
                    path=printable_path(_raw(member)),
                    size=member.size,
                    handle=_handle(member),
                    license=self.license,
                )

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read members by name.

        Raises:
            SourceError: if the tar is damaged.
        """
        with self._opened() as tar:
            members = {_handle(member): member for member in self._members(tar)}
            for entry in entries:
                with self._explaining_damage():
                    file = tar.extractfile(members[entry.handle])
                    content = None if file is None else file.read()
                yield entry, content

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        with self._explaining_damage():
            tar = _tar(self.tar_path, "r:")
        with tar:
            yield tar

    def _members(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        with self._explaining_damage():
            yield from members_of(tar)

    def _explaining_damage(self) -> AbstractContextManager[None]:
        again = "fetch it again: --from fetch --force"
        return explaining_damage(self.tar_path, SourceError, again, (tarfile.TarError,))


def members_of(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an untrusted tar, in their order.

    Raises:
        tarfile.ReadError: for a negative size, which would send Python before 3.11.14 into an
            endless loop (CVE-2025-8194).
    """
    position = -1
    while (member := tar.next()) is not None:
        if member.size < 0 or member.offset <= position:
            raise tarfile.ReadError("a member before its predecessor")
        position = member.offset
        # Otherwise every header stays in memory.
        tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
        yield member


def printable_path(raw: bytes) -> str:
    """A path as valid UTF-8; if it is not, its invalid bytes, and "%" itself, become %XX."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "/".join(quote_from_bytes(part) for part in raw.split(b"/"))


def _tar(path: Path, mode: Literal["r:", "w"]) -> tarfile.TarFile:
    """Open a tar independently of the locale."""
    return tarfile.open(
        path, mode, format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    )


def _text(name: bytes) -> str:
    """A name as text in any locale; invalid UTF-8 becomes lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def _raw(member: tarfile.TarInfo) -> bytes:
    return member.name.encode("utf-8", "surrogateescape")


def _handle(member: tarfile.TarInfo) -> str:
    """A unique handle in valid UTF-8; an escaped name gets a slash, with which no name begins."""
    escaped = printable_path(_raw(member))
    return member.name if member.name == escaped else f"/{escaped}"


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _add(tar: tarfile.TarFile, name: str, path: Path) -> bytes:
    """Append a file under `name` and return the digest of the appended content."""
    with path.open("rb") as file:
        content = _HashingReader(file)
        member = tarfile.TarInfo(name)
        member.size = os.fstat(file.fileno()).st_size
        tar.addfile(member, cast("IO[bytes]", content))
    return content.sha256.digest()


class _HashingReader:
    """A file that hashes what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.sha256.update(content)
        return content
