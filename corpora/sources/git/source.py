"""Git repositories, each kept as a bare shallow repository at one resolved commit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from corpora.document import Snapshot
from corpora.errors import SourceError
from corpora.sources.git.fetch import fetch_repository, find_commit
from corpora.sources.git.repository import Repository
from corpora.sources.git.snapshot import MAX_BLOB_BYTES, GitSnapshot
from system.progress import Progress


class GitSource(BaseModel):
    """One or more git repositories.

    Attributes:
        max_blob_bytes: larger files are not fetched (from a server that can leave them out) and
            not read; 0 for no limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["git"]
    repositories: tuple[Repository, ...] = Field(min_length=1)
    max_blob_bytes: int = Field(default=MAX_BLOB_BYTES, ge=0)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "GitSource":
        # Folders are named after them, and some disks do not tell upper case from lower.
        labels = [repository.label.casefold() for repository in self.repositories]
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

    def fetch(self, resolution: dict[str, str], directory: Path) -> Iterator[Progress]:
        """Fetch every repository, bare and shallow; those already there are kept."""
        for repository in self.repositories:
            yield from fetch_repository(
                repository,
                resolution[repository.label],
                directory,
                max_blob_bytes=self.max_blob_bytes,
            )

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` left in `directory`."""
        return GitSnapshot(directory, self.repositories, self.max_blob_bytes)


def _commit_of(repository: Repository) -> str:
    commit = find_commit(repository)
    if commit is not None:
        return commit
    if repository.ref == "HEAD":
        raise SourceError(f"{repository.url}: is empty, or its HEAD names no branch: give a `ref`")
    raise SourceError(f"{repository.url}: has no branch or tag {repository.ref!r}")
