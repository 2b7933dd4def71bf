"""Find the commit of a ref, and fetch it: bare, shallow, without the blobs that are too large."""

import re
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from corpora.errors import SourceError
from corpora.sources.git.process import NOTHING, GitError, failure, git, git_output, listen
from corpora.sources.git.repository import COMMIT, Repository
from corpora.sources.git.snapshot import LEFT_OUT, MAX_BLOB_BYTES, list_tree
from system.files import write_whole
from system.progress import Progress

FETCH = (
    "fetch",
    "--progress",
    "--depth=1",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)
KEPT_LINES = 100
MAX_LINE_BYTES = 2**16


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
    ).decode("utf-8", "replace")
    pairs = (line.split("\t", 1) for line in listing.splitlines())
    found = {name: commit for commit, name in pairs}
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref)
    return next((found[name] for name in names if name in found), None)


def fetch_repository(
    repository: Repository,
    commit: str,
    directory: Path,
    variables: Mapping[str, str] = NOTHING,
    *,
    max_blob_bytes: int = MAX_BLOB_BYTES,
) -> Iterator[Progress]:
    """Fetch one commit into `directory`/LABEL.git, unless that is there already.

    Args:
        variables: more environment for git.
        max_blob_bytes: larger blobs are left out if the server can; 0 for no limit.

    Raises:
        SourceError: if the repository cannot be reached or has lost the commit, or if another
            commit stands there.
        OSError: if the disk is full.
    """
    bare = repository.bare(directory)
    if bare.exists():
        _check_commit(repository, bare, commit)
        return
    partial = bare.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield from _fetch(repository, commit, partial, variables, max_blob_bytes)
        partial.rename(bare)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_repository(repository: Repository, directory: Path) -> None:
    """Remove what `fetch_repository` left; never half of it is taken for all."""
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


def _fetch(
    repository: Repository,
    commit: str,
    bare: Path,
    variables: Mapping[str, str],
    max_blob_bytes: int,
) -> Iterator[Progress]:
    """Fetch one commit into a new bare repository and let HEAD stand at it."""
    hashes = f"--object-format={'sha1' if len(commit) == 40 else 'sha256'}"
    git_output(["init", "--quiet", "--bare", "--template=", hashes], bare=bare, about=str(bare))
    settings = _settings(repository.location, max_blob_bytes)
    try:
        yield from _progress(repository, [*settings, commit], bare, variables)
    except GitError:
        if commit == repository.ref:
            raise
        # Some servers give branches and tags only, never a bare commit hash.
        yield from _progress(repository, [*settings, repository.ref], bare, variables)
    git_output(
        ["update-ref", "--no-deref", "HEAD", commit],
        bare=bare,
        about=f"{repository.url}: commit {commit} (moved on while it was fetched? run again)",
    )
    if max_blob_bytes:
        missing = (file.blob for file in list_tree(bare) if file.size is None)
        write_whole(bare / LEFT_OUT, "".join(f"{blob}\n" for blob in missing).encode())


def _settings(location: str, max_blob_bytes: int) -> list[str]:
    """The arguments of a fetch, up to what is wanted.

    The remote lives on the command line alone. Blobs that it promises for later (a partial clone)
    are nobody's promise afterwards, so no later command goes and gets them, whatever its version.
    """
    settings = {"remote.charmill.url": location, "fetch.unpackLimit": "1"}
    if max_blob_bytes:
        settings["remote.charmill.promisor"] = "true"
        # The limit of git's filter is the smallest size that is left out.
        settings["remote.charmill.partialCloneFilter"] = f"blob:limit={max_blob_bytes + 1}"
    options = (("-c", f"{key}={value}") for key, value in settings.items())
    return [*chain.from_iterable(options), *FETCH, "charmill"]


def _progress(
    repository: Repository, arguments: list[str], bare: Path, variables: Mapping[str, str]
) -> Iterator[Progress]:
    """Fetch, yielding what git's progress lines say."""
    from corpora.sources.git.progress import FetchProgress

    progress = FetchProgress(repository.label)
    last: deque[str] = deque(maxlen=KEPT_LINES)
    with git(arguments, bare=bare, variables=variables) as process:
        pieces = (piece for _, piece in listen(process, repository.url))
        for line in _lines(pieces):
            last.append(line)
            yield from progress.parse(line)
    if process.returncode:
        raise failure(process, "\n".join(last), repository.url, bare)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Split output at newlines and carriage returns, as git's progress needs."""
    rest = b""
    for piece in pieces:
        *whole, rest = re.split(rb"[\r\n]", rest + piece)
        rest = rest[-MAX_LINE_BYTES:]
        yield from (line.decode("utf-8", "replace") for line in whole if line)
    if rest:
        yield rest.decode("utf-8", "replace")
