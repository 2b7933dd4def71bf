"""Git repositories, each kept as a bare shallow repository at one resolved commit.

No work tree is ever made: files are listed by `ls-tree` and read by `cat-file --batch`, so no
symbolic link, hook, filter or attribute of a stranger's repository does anything here.
"""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from corpora.document import Entry, Snapshot, Step
from corpora.errors import SourceError
from corpora.sources.folder import printable_path
from corpora.sources.git_process import NOTHING, git, git_output, last_words

REGULAR_MODES = {b"100644", b"100755"}
PROBLEMS = {b"120000": "symbolic link", b"160000": "submodule"}
FETCH = ("fetch", "--progress", "--depth=1", "--no-tags", "--no-recurse-submodules")
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
REFERENCE = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$))[A-Za-z0-9_][A-Za-z0-9_./+-]*")
REMOTE = re.compile(r"(https|http|ssh|git|file)://[^\s-]\S*|[\w.-]+@[\w.-]+:[^\s-]\S*")


def _url(text: str) -> str:
    if REMOTE.fullmatch(text) or text.startswith(("/", "./", "../", "~/")):
        return text
    raise ValueError(f"{text!r} is not https://, ssh://, git://, file://, user@host:path or a path")


def _reference(text: str) -> str:
    if REFERENCE.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a branch, a tag, HEAD or a full commit hash")


class Repository(BaseModel):
    """One repository: where, at which branch, tag or commit, and under which licence (SPDX)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_url)]
    ref: Annotated[str, AfterValidator(_reference)] = "HEAD"
    name: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")
    license: str | None = None

    @property
    def label(self) -> str:
        """The name it is known by: given, or the last part of its URL."""
        last = self.url.rstrip("/").replace(":", "/").rsplit("/", 1)[-1]
        return self.name or re.sub(r"[^\w.-]", "_", last.removesuffix(".git"))

    @property
    def location(self) -> str:
        """What git is given: the URL, or the absolute path of a local repository."""
        local = self.url.startswith(("/", "./", "../", "~/"))
        return f"file://{Path(self.url).expanduser().resolve()}" if local else self.url


class GitSource(BaseModel):
    """One or more git repositories."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["git"]
    repositories: tuple[Repository, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "GitSource":
        labels = [repository.label for repository in self.repositories]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two repositories are called {twice[0]!r}: give one a `name`")
        return self

    def resolve(self) -> dict[str, str]:
        """Look up the commit that every repository's ref stands at now.

        Raises:
            SourceError: if a repository cannot be reached or has no such ref.
        """
        return {repository.label: _commit_of(repository) for repository in self.repositories}

    def fetch(self, resolution: dict[str, str], directory: Path) -> Iterator[Step]:
        """Fetch every repository, bare and shallow; those already there are kept."""
        for repository in self.repositories:
            yield from fetch_repository(repository, resolution[repository.label], directory)

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` left in `directory`."""
        return GitSnapshot(directory, self.repositories)


@dataclass(frozen=True, slots=True)
class GitSnapshot:
    """Reads the bare repositories that `GitSource.fetch` left; the commit stands in HEAD."""

    directory: Path
    repositories: tuple[Repository, ...]

    def entries(self) -> Iterator[Entry]:
        """List every path of every commit: repositories as given, paths in git's order."""
        for repository in self.repositories:
            bare = self.directory / f"{repository.label}.git"
            listing = git_output(
                ["ls-tree", "-r", "-z", "-l", "--full-tree", "HEAD"],
                directory=bare,
                about=repository.url,
            )
            for line in listing.split(b"\0")[:-1]:
                yield _entry(repository, line)

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read blobs through one `cat-file --batch` per repository."""
        waiting = list(entries)
        for repository in self.repositories:
            mine = [entry for entry in waiting if entry.source == repository.label]
            if mine:
                yield from _read_blobs(self.directory / f"{repository.label}.git", mine)


def find_commit(repository: Repository, variables: Mapping[str, str] = NOTHING) -> str | None:
    """The commit that the repository's ref stands at now, None if it has no such ref.

    Args:
        variables: more environment for git.

    Raises:
        SourceError: if the repository cannot be reached.
    """
    ref = repository.ref
    if COMMIT.fullmatch(ref):
        return ref
    listing = git_output(
        ["ls-remote", "--", repository.location, ref, f"{ref}^{{}}"],
        variables=variables,
        about=repository.url,
    ).decode()
    pairs = (line.split("\t") for line in listing.splitlines())
    found = {name: commit for commit, name in pairs}
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref)
    return next((found[name] for name in names if name in found), None)


def fetch_repository(
    repository: Repository,
    commit: str,
    directory: Path,
    variables: Mapping[str, str] = NOTHING,
) -> Iterator[Step]:
    """Fetch one commit into `directory`/LABEL.git, unless that is there already.

    Raises:
        SourceError: if the repository cannot be reached or has lost the commit.
    """
    bare = directory / f"{repository.label}.git"
    if bare.exists():
        return
    partial = bare.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    yield from _fetch(repository, commit, partial, variables)
    partial.rename(bare)


def remove_repository(repository: Repository, directory: Path) -> None:
    """Remove what `fetch_repository` left; never half of it is taken for all."""
    bare = directory / f"{repository.label}.git"
    partial = bare.with_suffix(".partial")
    bare.rename(partial)
    shutil.rmtree(partial)


def _commit_of(repository: Repository) -> str:
    commit = find_commit(repository)
    if commit is None:
        raise SourceError(f"{repository.url}: has no branch or tag {repository.ref!r}")
    return commit


def _fetch(
    repository: Repository, commit: str, bare: Path, variables: Mapping[str, str]
) -> Iterator[Step]:
    """Fetch one commit into a new bare repository and let HEAD stand at it."""
    git_output(
        ["init", "--quiet", "--bare", "--template=", "--", str(bare)], about=str(bare.parent)
    )
    try:
        yield from _progress(repository, commit, bare, variables)
    except SourceError:
        # Some servers give branches and tags only, never a bare commit hash.
        yield from _progress(repository, repository.ref, bare, variables)
    git_output(
        ["update-ref", "--no-deref", "HEAD", commit],
        directory=bare,
        about=f"{repository.url}: commit {commit} (moved on while it was fetched? run again)",
    )


def _progress(
    repository: Repository, wanted: str, bare: Path, variables: Mapping[str, str]
) -> Iterator[Step]:
    """Fetch a commit or ref and tell the progress from git's own progress lines."""
    from git import RemoteProgress

    steps: list[Step] = []

    class Collector(RemoteProgress):
        def update(self, op_code, cur_count, max_count=None, message=""):  # noqa: ANN001, ANN202
            total = int(float(max_count)) if max_count else None
            steps.append(
                Step(done=int(cur_count), total=total, unit="objects", note=repository.label)
            )

    handle = Collector().new_message_handler()
    lines: list[str] = []
    arguments = [*FETCH, "--", repository.location, wanted]
    with git(arguments, directory=bare, variables=variables) as process:
        for line in _lines(process.stderr):
            lines.append(line)
            handle(line)
            yield from steps
            steps.clear()
    if process.returncode:
        raise SourceError(f"{repository.url}: {last_words(chr(10).join(lines))}")


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    """Split a stream at newlines and carriage returns, as git's progress needs."""
    assert stream is not None
    rest = b""
    while chunk := stream.read1(4096):  # pyright: ignore[reportAttributeAccessIssue]
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        yield from (line.decode("utf-8", "replace") for line in whole if line)
    if rest:
        yield rest.decode("utf-8", "replace")


def _entry(repository: Repository, line: bytes) -> Entry:
    metadata, path = line.split(b"\t", 1)
    mode, _, blob, size = metadata.split()
    problem = None if mode in REGULAR_MODES else PROBLEMS.get(mode, f"mode {mode.decode()}")
    return Entry(
        source=repository.label,
        path=printable_path(path),
        size=0 if size == b"-" else int(size),
        handle=blob.decode(),
        problem=problem,
        license=repository.license,
    )


def _read_blobs(bare: Path, entries: list[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    with git(["cat-file", "--batch", "--buffer"], directory=bare) as process:
        writer = threading.Thread(target=_ask, args=(process, entries), daemon=True)
        writer.start()
        assert process.stdout is not None
        for entry in entries:
            header = process.stdout.readline().split()
            if len(header) != 3:
                yield entry, None
                continue
            content = process.stdout.read(int(header[2]))
            process.stdout.read(1)
            yield entry, content if len(content) == int(header[2]) else None
        writer.join()


def _ask(process: subprocess.Popen, entries: list[Entry]) -> None:
    assert process.stdin is not None
    with process.stdin:
        for entry in entries:
            process.stdin.write(entry.handle.encode() + b"\n")
