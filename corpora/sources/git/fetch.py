"""Find the commit of a ref and fetch it: bare, shallow, without blobs that are too large."""

import re
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from corpora.errors import SourceError
from corpora.sources.git.process import (
    LIMITS,
    NO_VARIABLES,
    GitError,
    GitLimits,
    failure,
    git,
    git_output,
    read_output,
)
from corpora.sources.git.repository import COMMIT, Repository
from corpora.sources.git.snapshot import LEFT_OUT, MAX_BLOB_BYTES, list_tree
from system.files import write_whole
from system.progress import Progress

FETCH = (
    "fetch",
    "--progress",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)
SHALLOW = "--depth=1"
NO_SHALLOW = "does not support shallow capabilities"
"""What git says of a host that only serves files. Such a one is asked for the whole history."""
KEPT_LINES = 100
MAX_LINE_BYTES = 2**16


def find_commit(
    repository: Repository,
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    limits: GitLimits = LIMITS,
) -> str | None:
    """The commit that the repository's ref points at now, None if there is no such ref.

    Args:
        variables: added to git's environment.

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
        limits=limits,
    ).decode("utf-8", "replace")
    pairs = (line.partition("\t") for line in listing.splitlines())
    found = {name: commit for commit, _, name in pairs if COMMIT.fullmatch(commit)}
    names = [f"{place}{ref}" for place in ("refs/tags/", "refs/heads/", "refs/", "")]
    peeled = (name for one in names for name in (f"{one}^{{}}", one))
    return next((found[name] for name in peeled if name in found), None)


def names_below(repository: Repository) -> list[str]:
    """The branches and tags whose names begin with the ref and a "/", in order.

    Raises:
        SourceError: if the repository cannot be reached.
    """
    places = ("refs/heads/", "refs/tags/")
    patterns = [f"{place}{repository.ref}/*" for place in places]
    listing = git_output(
        ["ls-remote", "--refs", "--", repository.location, *patterns], about=repository.url
    ).decode("utf-8", "replace")
    names = (line.partition("\t")[2] for line in listing.splitlines())
    return sorted({re.sub("^refs/(heads|tags)/", "", name) for name in names})


def fetch_repository(
    repository: Repository,
    commit: str,
    directory: Path,
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    max_blob_bytes: int = MAX_BLOB_BYTES,
    limits: GitLimits = LIMITS,
) -> Iterator[Progress]:
    """Fetch one commit into `directory`/LABEL.git, unless that exists.

    Args:
        variables: added to git's environment.
        max_blob_bytes: leave out larger blobs if the server supports it; 0 for no limit.

    Raises:
        SourceError: if the repository cannot be reached or no longer has the commit, or if
            LABEL.git holds another commit.
        OSError: if the disk is full.
    """
    bare = repository.bare(directory)
    if bare.exists():
        _check_commit(repository, bare, commit)
        return
    partial = bare.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        fetch = _Fetch(repository, commit, partial, variables, max_blob_bytes, limits)
        yield from fetch.run()
        partial.rename(bare)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def bring_repository(
    repository: Repository,
    commit: str,
    directory: Path,
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    max_blob_bytes: int = MAX_BLOB_BYTES,
) -> None:
    """`fetch_repository`, without its progress."""
    for _ in fetch_repository(
        repository, commit, directory, variables, max_blob_bytes=max_blob_bytes
    ):
        pass


def remove_repository(repository: Repository, directory: Path) -> None:
    """Remove what `fetch_repository` wrote; a kill in between leaves no half repository."""
    bare = repository.bare(directory)
    partial = bare.with_suffix(".partial")
    bare.rename(partial)
    shutil.rmtree(partial)


def _check_commit(repository: Repository, bare: Path, commit: str) -> None:
    found = git_output(["rev-parse", "HEAD"], bare=bare, about=f"{bare}: delete it").decode()
    if found.strip() != commit:
        raise SourceError(
            f"{bare}: holds commit {found.strip()}, not {commit} of {repository.url}; delete it"
        )


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One commit on its way into a new bare repository."""

    repository: Repository
    commit: str
    bare: Path
    variables: Mapping[str, str]
    max_blob_bytes: int
    limits: GitLimits

    def run(self) -> Iterator[Progress]:
        """Fetch the commit and point HEAD at it."""
        self._create()
        yield from self._receive()
        url, commit = self.repository.url, self.commit
        git_output(
            ["update-ref", "--no-deref", "HEAD", commit],
            bare=self.bare,
            about=f"{url}: commit {commit} (moved on while it was fetched? run again)",
        )
        if self.max_blob_bytes:
            tree = list_tree(self.bare, self.limits)
            missing = (file.blob for file in tree if file.size is None)
            write_whole(self.bare / LEFT_OUT, "".join(f"{blob}\n" for blob in missing).encode())

    def _create(self) -> None:
        hashes = f"--object-format={'sha1' if len(self.commit) == 40 else 'sha256'}"
        arguments = ["init", "--quiet", "--bare", "--template=", hashes]
        git_output(arguments, bare=self.bare, about=str(self.bare))

    def _receive(self) -> Iterator[Progress]:
        """Fetch the commit alone, or what the server can give instead."""
        wanted, is_shallow = self.commit, True
        while True:
            try:
                yield from self._request(wanted, is_shallow=is_shallow)
            except GitError as error:
                if is_shallow and NO_SHALLOW in str(error):
                    is_shallow = False
                elif wanted != self.repository.ref:
                    # Some servers offer branches and tags only, never a bare commit hash.
                    wanted = self.repository.ref
                else:
                    raise
            else:
                return

    def _request(self, wanted: str, *, is_shallow: bool) -> Iterator[Progress]:
        """Run `git fetch` for a commit or a ref, yielding what its progress lines say."""
        from corpora.sources.git.progress import FetchProgress

        progress = FetchProgress(self.repository.label)
        depth = [SHALLOW] if is_shallow else []
        arguments = [*self._settings(), *depth, "charmill", wanted]
        last: deque[str] = deque(maxlen=KEPT_LINES)
        with git(
            arguments, bare=self.bare, variables=self.variables, limits=self.limits
        ) as process:
            output = read_output(process, self.repository.url, self.limits)
            for line in _lines(piece for _, piece in output):
                last.append(line)
                yield from progress.parse(line)
        if process.returncode:
            raise failure(process, "\n".join(last), self.repository.url, self.bare)

    def _settings(self) -> list[str]:
        """The first arguments of `git fetch`.

        The remote exists on the command line only. So blobs that it promises to send later (a
        partial clone) are nobody's promise afterwards, and no version of git tries to get them.
        """
        settings = {
            "remote.charmill.url": self.repository.location,
            "fetch.unpackLimit": "1",
        }
        if self.max_blob_bytes:
            settings["remote.charmill.promisor"] = "true"
            # git's filter leaves out blobs of exactly its limit too.
            limit = f"blob:limit={self.max_blob_bytes + 1}"
            settings["remote.charmill.partialCloneFilter"] = limit
        options = (("-c", f"{key}={value}") for key, value in settings.items())
        return [*chain.from_iterable(options), *FETCH]


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Split output at newlines and at the carriage returns of git's progress."""
    rest = b""
    for piece in pieces:
        *whole, rest = re.split(rb"[\r\n]", rest + piece)
        rest = rest[-MAX_LINE_BYTES:]
        yield from (line.decode("utf-8", "replace") for line in whole if line)
    if rest:
        yield rest.decode("utf-8", "replace")
