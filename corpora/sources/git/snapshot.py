"""Read fetched bare repositories: file lists by `ls-tree`, contents by `cat-file --batch`.

Nothing is checked out, so symbolic links, hooks, filters and attributes of an untrusted repository
have no effect. Nothing is fetched. Every content is verified against its hash; a blob that was
fetched and is now missing or damaged is an error, so a corpus never silently lacks a file.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

from corpora.document import Entry
from corpora.errors import SourceError
from corpora.sources.folder import TWO_FILES, printable_path
from corpora.sources.git.process import (
    LIMITS,
    READ_BYTES,
    GitError,
    GitLimits,
    error_line,
    git,
    git_output,
)
from corpora.sources.git.repository import Repository

REGULAR_MODES = {b"100644", b"100755"}
PROBLEMS = {b"120000": "symbolic link", b"160000": "submodule"}
TREE_LINE = re.compile(
    rb"([0-7]{6}) [a-z]+ ([0-9a-f]{40}(?:[0-9a-f]{24})?) +([0-9]{1,18}|-|BAD)\t(.+)", re.DOTALL
)
LEFT_OUT = "left-out"
"""A file in the bare repository that lists the blobs the server left out, one a line."""
MAX_HEADER_BYTES = 200
MAX_BLOB_BYTES = 16 * 2**20
"""Sixteen times the default `corpus.max_bytes`; text files rarely reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """One line of `ls-tree -l`.

    Attributes:
        size: bytes; 0 for a submodule, None if the blob is missing.
    """

    mode: bytes
    blob: str
    size: int | None
    path: bytes


@dataclass(frozen=True, slots=True)
class GitSnapshot:
    """Reads the bare repositories that `fetch_repository` wrote, each at the commit in HEAD.

    A blob of more than `max_blob_bytes` (0 for no limit) counts as left out even if the server
    sent it, so that the result does not depend on the server.
    """

    directory: Path
    repositories: tuple[Repository, ...]
    max_blob_bytes: int = MAX_BLOB_BYTES

    def entries(self) -> Iterator[Entry]:
        """List every path of every commit: repositories as given, paths in git's order.

        Raises:
            SourceError: if a repository is damaged.
        """
        for repository in self.repositories:
            yield from self._entries(repository)

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read blobs, with one `cat-file --batch` for consecutive entries of one repository.

        Raises:
            SourceError: if a blob is damaged or missing.
        """
        stores = {one.label: one.bare(self.directory) for one in self.repositories}
        for label, group in groupby(entries, lambda entry: entry.source):
            yield from _read_blobs(stores[label], list(group))

    def parts(self) -> "Mapping[str, GitSnapshot]":
        """A snapshot of every repository."""
        return {
            one.label: GitSnapshot(self.directory, (one,), self.max_blob_bytes)
            for one in self.repositories
        }

    def _entries(self, repository: Repository) -> Iterator[Entry]:
        bare = repository.bare(self.directory)
        left_out = _left_out(bare)
        label = repository.label
        names: set[str] = set()
        for file in list_tree(bare):
            path = printable_path(file.path)
            if file.size is None and file.blob not in left_out:
                raise _damaged(bare, f"{path} is gone")
            problem = self._problem(file) or (TWO_FILES if path in names else None)
            names.add(path)
            yield Entry(
                source=label,
                path=path,
                size=0 if self._is_left_out(file) else file.size or 0,
                handle=file.blob,
                problem=problem,
                license=repository.license,
            )

    def _is_left_out(self, file: TreeFile) -> bool:
        return file.size is None or 0 < self.max_blob_bytes < file.size

    def _problem(self, file: TreeFile) -> str | None:
        if file.mode not in REGULAR_MODES:
            return PROBLEMS.get(file.mode, f"mode {file.mode.decode()}")
        if self._is_left_out(file):
            return f"larger than max_blob_bytes, {self.max_blob_bytes:,}: not fetched"
        return None


def list_tree(bare: Path, limits: GitLimits = LIMITS) -> Iterator[TreeFile]:
    """List the files of the commit in HEAD, in git's order: by the bytes of their paths.

    Raises:
        SourceError: if the repository is damaged, or lists too many files.
    """
    arguments = ["ls-tree", "-r", "-z", "-l", "--full-tree", "HEAD"]
    try:
        listing = git_output(arguments, bare=bare, about=str(bare), limits=limits)
    except GitError as error:
        raise _damaged(bare, str(error).removeprefix(f"{bare}: ")) from error
    for line in listing.split(b"\0")[:-1]:
        row = TREE_LINE.fullmatch(line)
        if row is None:
            raise _damaged(bare, f"git lists {line[:80]!r}")
        mode, blob, size, path = row.groups()
        known = {b"-": 0, b"BAD": None}
        yield TreeFile(
            mode=mode,
            blob=blob.decode(),
            size=known[size] if size in known else int(size),
            path=path,
        )


def _left_out(bare: Path) -> set[str]:
    path = bare / LEFT_OUT
    return set(path.read_text(encoding="ascii").split()) if path.exists() else set()


def _read_blobs(bare: Path, entries: list[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    """Read blobs; None where a tree lists an object as a file that is not a blob."""
    # Files for stdin and stderr: with pipes, git and this process could deadlock.
    with tempfile.TemporaryFile() as requests, tempfile.TemporaryFile() as errors:
        requests.writelines(entry.handle.encode() + b"\n" for entry in entries)
        requests.seek(0)
        arguments = ["cat-file", "--batch", "--buffer"]
        with git(arguments, bare=bare, stdin=requests, stderr=errors) as process:
            assert process.stdout is not None
            for entry in entries:
                item = _next_object(process.stdout)
                if item is None or item.id(len(entry.handle)) != entry.handle:
                    errors.seek(0)
                    message = error_line(errors.read().decode("utf-8", "replace"))
                    raise _damaged(bare, f"{entry.path} cannot be read: {message or 'is gone'}")
                yield entry, item.content if item.kind == b"blob" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitObject:
    """A git object: its kind (b"blob", b"tree", ...) and its content."""

    kind: bytes
    content: bytes

    def id(self, digits: int) -> str:
        """Its id in git: SHA-1 (40 digits) or SHA-256 (64) of a header and the content."""
        algorithm = hashlib.sha1 if digits == 40 else hashlib.sha256
        header = b"%s %d\0" % (self.kind, len(self.content))
        digest = algorithm(header, usedforsecurity=False)
        digest.update(self.content)
        return digest.hexdigest()


def _next_object(stream: IO[bytes]) -> GitObject | None:
    header = stream.readline(MAX_HEADER_BYTES).split()
    if len(header) != 3 or not re.fullmatch(rb"[0-9]{1,10}", header[2]):
        return None
    left, content = int(header[2]), bytearray()
    # In pieces, because a read allocates all of it first, and the size may be false.
    while left and (piece := stream.read(min(left, READ_BYTES))):
        content += piece
        left -= len(piece)
    stream.read(1)
    return GitObject(kind=header[1], content=bytes(content))


def _damaged(bare: Path, what: str) -> SourceError:
    return SourceError(f"{bare}: is damaged ({what}); fetch it again: --from fetch --force")
