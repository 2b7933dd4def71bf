"""What becomes of every repository of an account: kept, or not and why; stored as one JSON file."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from corpora.document import UNREACHABLE, Entry, Snapshot
from corpora.errors import SourceError
from corpora.sources.git.fetch import bring_repository, find_commit
from corpora.sources.git.repository import Repository
from corpora.sources.git.snapshot import GitSnapshot
from corpora.sources.github.api import UNKNOWN, clone_variables
from system.damage import explaining_damage
from system.files import write_whole

REPOSITORIES = "repositories.json"
PARALLEL_LOOKUPS = 8
LOST = ""
"""The part of an account with the repositories that could not be fetched; none has this name."""
Decision = Literal[
    "kept",
    "excluded",
    "private",
    "disabled",
    "fork",
    "archived",
    "opted out",
    "licence",
    "too large",
    "empty",
    "unreachable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOutcome:
    """The decision about a repository of the account, as a row of `repositories.json`.

    Attributes:
        fate: the decision.
        detail: what the gate saw; "" if there is nothing to add.
        license: SPDX id, "unknown" if GitHub recognised none.
        commit: the head of its default branch, None if not looked up or if there is none.
    """

    full_name: str
    fate: Decision
    detail: str
    clone_url: str
    license: str
    private: bool
    commit: str | None = None

    @property
    def repository(self) -> Repository:
        """The repository for git to fetch.

        Raises:
            SourceError: if its name or URL is not one that git may be given.
        """
        name = self.full_name.rsplit("/", 1)[-1]
        try:
            return Repository(
                url=self.clone_url,
                name=re.sub(r"^[.-]", r"_\g<0>", name),
                license=None if self.license == UNKNOWN else self.license,
            )
        except ValidationError:
            raise SourceError(
                f"{self.full_name!r} at {self.clone_url!r}: not a repository that git can fetch"
            ) from None

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that git needs for it."""
        return clone_variables(self.private, self.clone_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """The repositories that were fetched, and an entry for each that could not be."""

    repositories: GitSnapshot
    lost: tuple[Entry, ...]

    def entries(self) -> Iterator[Entry]:
        """List the files, repositories that could not be reached last."""
        yield from self.repositories.entries()
        yield from self.lost

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read files of the repositories that were fetched."""
        return self.repositories.read(entries)

    def parts(self) -> "Mapping[str, Snapshot]":
        """A snapshot of every repository, and one of those that could not be reached."""
        lost = AccountSnapshot(
            repositories=replace(self.repositories, repositories=()), lost=self.lost
        )
        return {**self.repositories.parts(), LOST: lost}


def lost_entry(one: RepositoryOutcome) -> Entry:
    """The entry for a whole repository that could not be fetched."""
    name = one.full_name.rsplit("/", 1)[-1]
    return Entry(source=name, path=".", size=0, handle="", problem=f"{UNREACHABLE}: {one.detail}")


def looked_up(outcomes: Sequence[RepositoryOutcome]) -> list[RepositoryOutcome]:
    """Repositories with the head of their default branch; others are empty or unreachable."""
    with ThreadPoolExecutor(PARALLEL_LOOKUPS) as pool:
        return list(pool.map(find, outcomes))


def find(one: RepositoryOutcome) -> RepositoryOutcome:
    """Look up the head of the default branch of a repository that passed the gates."""
    try:
        commit = find_commit(one.repository, one.variables)
    except SourceError as error:
        return replace(one, fate="unreachable", detail=str(error), commit=None)
    return replace(one, commit=commit, fate=one.fate if commit else "empty")


def bring(one: RepositoryOutcome, directory: Path) -> None:
    """Fetch a repository that passed the gates; reads the token where it runs."""
    assert one.commit
    bring_repository(one.repository, one.commit, directory, one.variables)


def at(one: RepositoryOutcome, resolution: Mapping[str, str]) -> RepositoryOutcome:
    """Add the commit that was resolved to a repository that passed the gates."""
    return replace(one, commit=resolution.get(one.full_name)) if one.fate == "kept" else one


def late(one: RepositoryOutcome) -> RepositoryOutcome:
    """A repository that has a commit only now belongs to the next fetch."""
    if one.fate != "kept":
        return one
    return replace(
        one, fate="unreachable", detail="gave no commit when it was resolved", commit=None
    )


def save_outcomes(directory: Path, outcomes: Sequence[RepositoryOutcome]) -> None:
    """Record the outcomes in the directory of a fetch."""
    text = json.dumps([asdict(one) for one in outcomes], indent=1) + "\n"
    write_whole(directory / REPOSITORIES, text.encode())


def load_outcomes(directory: Path) -> list[RepositoryOutcome]:
    """Read what `save_outcomes` wrote; nothing if it was never called.

    Raises:
        SourceError: if the file is damaged.
    """
    path = directory / REPOSITORIES
    if not path.exists():
        return []
    with explaining_damage(path, SourceError, "fetch it again: --from fetch --force"):
        content = path.read_bytes()
        return TypeAdapter(list[RepositoryOutcome]).validate_json(content, strict=True)
