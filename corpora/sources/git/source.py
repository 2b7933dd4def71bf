"""Git repositories, each stored bare and shallow at one resolved commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, model_validator

from corpora.document import Snapshot
from corpora.errors import SourceError
from corpora.sources.git.fetch import (
    bring_repository,
    fetch_repository,
    find_commit,
    names_below,
)
from corpora.sources.git.repository import Repository
from corpora.sources.git.snapshot import MAX_BLOB_BYTES, GitSnapshot
from corpora.sources.source import Resolution, SourceModel
from system.pool import ThreadPool
from system.progress import Progress

BLOB_PAGES = {"github.com": "blob", "gitlab.com": "-/blob", "codeberg.org": "src/commit"}
"""How a forge's URL for a file continues after the repository, by host."""

PARALLEL_LOOKUPS = 8
SHOWN = 5
"""Names of branches in an error."""


class GitSource(SourceModel):
    """One or more git repositories.

    Attributes:
        repositories: at least one.
        max_blob_bytes: larger files are not fetched (if the server can leave them out) and not
            read; 0 for no limit.
    """

    kind: Literal["git"]
    repositories: tuple[Repository, ...] = Field(min_length=1)
    max_blob_bytes: int = Field(default=MAX_BLOB_BYTES, ge=0)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "GitSource":
        # Folders are named after labels, and some file systems ignore case.
        labels = [repository.label.casefold() for repository in self.repositories]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two repositories are called {twice[0]!r}: give one a `name`")
        return self

    def resolve(self) -> Resolution:
        """Look up the commit that every repository's ref points at now.

        Raises:
            SourceError: if a repository cannot be reached or has no such ref.
        """
        commits = ThreadPool(PARALLEL_LOOKUPS).in_order(_commit_of, self.repositories)
        labels = [repository.label for repository in self.repositories]
        return dict(zip(labels, commits, strict=True))

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Fetch every repository that is not in `directory`, bare and shallow."""
        for repository in self.repositories:
            yield from fetch_repository(
                repository,
                resolution[repository.label],
                directory,
                max_blob_bytes=self.max_blob_bytes,
            )

    @property
    def is_divisible(self) -> bool:
        """If there are several repositories."""
        return len(self.repositories) > 1

    def parts(self, resolution: Resolution, directory: Path) -> Sequence[Callable[[], None]]:
        """One for every repository."""
        return [
            partial(
                bring_repository,
                one,
                resolution[one.label],
                directory,
                max_blob_bytes=self.max_blob_bytes,
            )
            for one in self.repositories
        ]

    def open(self, directory: Path) -> Snapshot:
        """Open the repositories that `fetch` wrote."""
        return GitSnapshot(directory, self.repositories, self.max_blob_bytes)

    def permalink(self, resolution: Mapping[str, str], source: str, path: str) -> str | None:
        """Link to a file on GitHub, GitLab or Codeberg, at the commit that was fetched."""
        for repository in self.repositories:
            host, _, project = repository.url.removeprefix("https://").partition("/")
            if repository.label == source and host in BLOB_PAGES and source in resolution:
                page = f"{BLOB_PAGES[host]}/{resolution[source]}/{quote(path)}"
                return f"https://{host}/{project.removesuffix('.git')}/{page}"
        return None


def _commit_of(repository: Repository) -> str:
    commit = find_commit(repository)
    if commit is not None:
        return commit
    if repository.ref == "HEAD":
        raise SourceError(f"{repository.url}: is empty, or its HEAD names no branch: give a `ref`")
    below = names_below(repository)
    hint = f", but {', '.join(below[:SHOWN])}: set one as `ref`" if below else ""
    raise SourceError(f"{repository.url}: has no branch or tag {repository.ref!r}{hint}")
