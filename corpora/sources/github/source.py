"""Every repository of one GitHub account that passes the gates, each bare and shallow.

The gates: names, private, forks, archived, opt-out, licence, size. `repositories.json` records the
decision about every repository of the account, with the reason.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field

from corpora.document import Snapshot
from corpora.errors import SourceError
from corpora.sources.git.fetch import fetch_repository, remove_repository
from corpora.sources.git.process import GitError
from corpora.sources.git.snapshot import GitSnapshot
from corpora.sources.github.api import ListedRepository, list_repositories
from corpora.sources.github.outcomes import (
    AccountSnapshot,
    Decision,
    RepositoryOutcome,
    at,
    bring,
    find,
    late,
    load_outcomes,
    looked_up,
    lost_entry,
    save_outcomes,
)
from corpora.sources.source import Resolution, SourceModel
from system.progress import Progress

PERMISSIVE = (
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unlicense",
    "Zlib",
)
DISALLOW = re.compile(rb"^[ \t]*Disallow:[ \t]*[^\s#]", re.IGNORECASE | re.MULTILINE)


class GithubAccountSource(SourceModel):
    """The repositories that a user or an organisation on GitHub owns.

    Attributes:
        account: its name; a dataset may leave it to the user.
        private: include private repositories; needs a token with access to them.
        forks: include forks.
        archived: include archived repositories.
        licenses: SPDX ids, with "*" as in file names; "unknown" is a repository without a licence
            that GitHub recognises, "*" allows all.
        opt_out_topics: topics by which an owner opts out of machine learning.
        opt_out_files: files in the root that opt out: by a "Disallow:" line if the name ends in
            ".txt", otherwise by existing.
        max_bytes: of one repository with its whole history.
        include, exclude: names of repositories, with "*" as in file names, in any case.
    """

    kind: Literal["github_account"]
    account: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$")
    include: tuple[str, ...] = Field(default=("*",), min_length=1)
    exclude: tuple[str, ...] = ()
    private: bool = False
    forks: bool = False
    archived: bool = False
    licenses: tuple[str, ...] = Field(default=PERMISSIVE, min_length=1)
    opt_out_topics: tuple[str, ...] = ("no-ml", "no-ai", "noml", "noai")
    opt_out_files: tuple[str, ...] = (".noai", "ai.txt")
    max_bytes: int = Field(default=1_000_000_000, gt=0)

    def resolve(self) -> Resolution:
        """Look up the head of the default branch of every kept repository.

        Raises:
            SourceError: if there is no such account, or none of its repositories is kept.
        """
        outcomes = self._listed()
        passing = [one for one in outcomes if one.fate == "kept"]
        asked = looked_up(passing)
        found = {one.full_name: one.commit for one in asked if one.commit}
        if not found:
            dropped = [one for one in outcomes if one.fate != "kept"]
            raise _nothing_kept(self.account, [*dropped, *asked])
        return found

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Fetch every kept repository that is not in `directory`; remove those that opt out.

        Raises:
            SourceError: if the account changed since `resolution`, or no repository is kept.
        """
        outcomes = self._listed_once(resolution, directory)
        for index, one in enumerate(outcomes):
            if one.fate == "kept":
                outcomes[index] = yield from self._fetched(one, outcomes, directory)
                save_outcomes(directory, outcomes)
            yield Progress(
                done=index + 1, total=len(outcomes), unit="repositories", note=self.account
            )
        if not any(one.fate == "kept" for one in outcomes):
            raise _nothing_kept(self.account, outcomes)

    @property
    def is_divisible(self) -> bool:
        """Any account may have several repositories."""
        return True

    def parts(self, resolution: Resolution, directory: Path) -> Sequence[Callable[[], None]]:
        """One for every kept repository; lists the account."""
        outcomes = self._listed_once(resolution, directory)
        return [partial(bring, one, directory) for one in outcomes if one.fate == "kept"]

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` left in `directory`."""
        outcomes = load_outcomes(directory)
        kept = tuple(one.repository for one in outcomes if one.fate == "kept")
        lost = tuple(lost_entry(one) for one in outcomes if one.fate == "unreachable")
        return AccountSnapshot(repositories=GitSnapshot(directory, kept), lost=lost)

    def permalink(self, resolution: Mapping[str, str], source: str, path: str) -> str | None:
        """Link to a file on GitHub at the commit that was fetched."""
        full_names = {name.rsplit("/", 1)[-1]: name for name in resolution}
        if source not in full_names:
            return None
        name = full_names[source]
        return f"https://github.com/{name}/blob/{resolution[name]}/{quote(path)}"

    def _fetched(
        self, one: RepositoryOutcome, outcomes: Sequence[RepositoryOutcome], directory: Path
    ) -> Generator[Progress, None, RepositoryOutcome]:
        """Fetch a repository; returns its outcome, which is another if it fails or opts out.

        Raises:
            SourceError: if no other repository of the account can be reached either.
        """
        assert one.commit
        try:
            yield from fetch_repository(one.repository, one.commit, directory, one.variables)
        except GitError as error:
            if not any(find(other).commit for other in outcomes if other.commit and other != one):
                raise
            return replace(one, fate="unreachable", detail=str(error))
        refusal = self._refusal(one, directory)
        if refusal is None:
            return one
        # In this order, a kill in between only causes another fetch.
        remove_repository(one.repository, directory)
        return replace(one, fate="opted out", detail=f"file {refusal}")

    def _listed_once(self, resolution: Resolution, directory: Path) -> list[RepositoryOutcome]:
        """What is known of every repository, from the first attempt at this fetch if there was one.

        Raises:
            SourceError: if the account changed since `resolution`.
        """
        outcomes = load_outcomes(directory) or self._resolved(resolution)
        save_outcomes(directory, outcomes)
        return outcomes

    def _listed(self) -> list[RepositoryOutcome]:
        """List the account, and pass every repository through the gates that need no clone."""
        if not self.account:
            raise SourceError("source.account is not set: name it, --set source.account=NAME")
        outcomes = []
        for listed in list_repositories(self.account, private=self.private):
            fate, detail = self._gate(listed)
            outcomes.append(
                RepositoryOutcome(
                    full_name=listed.full_name,
                    fate=fate,
                    detail=detail,
                    clone_url=listed.clone_url,
                    license=listed.license,
                    private=listed.private,
                )
            )
        return outcomes

    def _resolved(self, resolution: Resolution) -> list[RepositoryOutcome]:
        """List the account again, and compare what is kept with what was resolved."""
        outcomes = [at(one, resolution) for one in self._listed()]
        missing = iter(
            looked_up([one for one in outcomes if one.fate == "kept" and not one.commit])
        )
        outcomes = [
            late(next(missing)) if one.fate == "kept" and not one.commit else one
            for one in outcomes
        ]
        kept = {one.full_name for one in outcomes if one.fate == "kept"}
        gone = sorted(resolution.keys() - kept)
        if gone:
            raise SourceError(f"{gone[0]}: was renamed, removed or closed just now; run again")
        return outcomes

    def _gate(self, one: ListedRepository) -> tuple[Decision, str]:
        refused = sorted(set(one.topics) & set(self.opt_out_topics))
        licensed = any(fnmatchcase(one.license, pattern) for pattern in self.licenses)
        size = one.kilobytes * 1024
        gates: tuple[tuple[Decision, bool, str], ...] = (
            ("excluded", not self._is_named(one.name.lower()), ""),
            ("private", one.private and not self.private, ""),
            ("disabled", one.disabled, "by GitHub"),
            ("fork", one.fork and not self.forks, ""),
            ("archived", one.archived and not self.archived, ""),
            ("opted out", bool(refused), f"topic {', '.join(refused)}"),
            ("licence", not licensed, one.license),
            ("too large", size > self.max_bytes, f"{size:,} bytes"),
        )
        for fate, applies, detail in gates:
            if applies:
                return fate, detail
        return "kept", ""

    def _is_named(self, name: str) -> bool:
        wanted, unwanted = (
            any(fnmatchcase(name, pattern.lower()) for pattern in patterns)
            for patterns in (self.include, self.exclude)
        )
        return wanted and not unwanted

    def _refusal(self, one: RepositoryOutcome, directory: Path) -> str | None:
        """The file by which a fetched repository opts out, None if it does not."""
        snapshot = GitSnapshot(directory, (one.repository,))
        files = [entry for entry in snapshot.entries() if entry.path in self.opt_out_files]
        for entry, content in snapshot.read(files):
            if not entry.path.endswith(".txt") or DISALLOW.search(content or b""):
                return entry.path
        return None


def _nothing_kept(account: str, outcomes: Sequence[RepositoryOutcome]) -> SourceError:
    if not outcomes:
        return SourceError(f"{account}: has no visible repository")
    fates = Counter(one.fate for one in outcomes)
    counts = ", ".join(f"{number} {fate}" for fate, number in fates.most_common())
    words = next((f"; {one.detail}" for one in outcomes if one.fate == "unreachable"), "")
    return SourceError(
        f"{account}: none of its {len(outcomes)} repositories is kept: {counts}{words}"
    )
