"""List the repositories of a GitHub account through GitHub's API.

A token is read from the environment and sent only as a header: to the API and, through git's
configuration, to clone private repositories. It appears in no argument, file or message.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from corpora.errors import SourceError
from corpora.sources.http import TIMEOUT_SECONDS, USER_AGENT
from system.damage import is_own_bug
from system.settings import Settings, variable

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository as GithubRepository

TOKEN_VARIABLE = variable("github_token")
UNKNOWN = "unknown"
MAX_WAIT_SECONDS = 120
"""Wait for rate limits that end sooner; report the others to the user."""
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)
"""What PyGithub raises for an answer that is not what GitHub sends, such as a login page."""
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRepository:
    """A repository as GitHub lists it.

    Attributes:
        license: SPDX id that GitHub recognised, "unknown" if none.
        kilobytes: of the whole history; a shallow clone is smaller.
    """

    full_name: str
    clone_url: str
    license: str
    topics: tuple[str, ...]
    kilobytes: int
    fork: bool
    archived: bool
    disabled: bool
    private: bool

    @property
    def name(self) -> str:
        """The name inside the account."""
        return self.full_name.rsplit("/", 1)[-1]


def list_repositories(account: str, *, private: bool) -> list[ListedRepository]:
    """List the repositories that an account owns, sorted by name.

    Args:
        private: include private ones; needs a token with access to them.

    Raises:
        SourceError: if there is no such account, or GitHub does not answer.
    """
    with _explained(account), closing(_client()) as github:
        found = [_listed(one) for one in _owned(github, account, private=private)]
    return sorted(found, key=lambda one: one.full_name.lower())


def token_variable() -> str | None:
    """The name of the environment variable that holds a token, None if there is none.

    Raises:
        SourceError: if a variable holds something that cannot be a token.
    """
    found = _token()
    return found[0] if found else None


def _token() -> tuple[str, str] | None:
    """A GitHub token and the environment variable that holds it, None if none does."""
    settings = Settings()
    for field in ("github_token", "shared_github_token"):
        secret = getattr(settings, field)
        if secret is None:
            continue
        token, name = secret.get_secret_value(), variable(field)
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", token):
            raise SourceError(f"{name}: is not a GitHub token (letters, digits, '_', '.', '-')")
        return name, token
    return None


def clone_variables(listed_private: bool, clone_url: str) -> dict[str, str]:
    """Environment variables for git to clone a repository: with the token, if it is private."""
    found = _token()
    parts = urlsplit(clone_url)
    if found is None or not listed_private or parts.scheme != "https":
        return {}
    login = base64.b64encode(f"x-access-token:{found[1]}".encode()).decode()
    count = _config_count()
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"http.https://{parts.netloc}/.extraHeader",
        f"GIT_CONFIG_VALUE_{count}": f"Authorization: Basic {login}",
    }


def _config_count() -> int:
    count = os.environ.get("GIT_CONFIG_COUNT", "") or "0"
    if not count.isdecimal():
        raise SourceError(f"GIT_CONFIG_COUNT: {count!r} is not a number")
    return int(count)


def _client() -> "Github":
    from github import Auth, Github, GithubRetry  # takes 0.34 s

    from corpora.sources.github.connection import pace_connections

    pace_connections()
    found = _token()
    return Github(
        base_url=_api(),
        auth=None if found is None else Auth.Token(found[1]),
        timeout=TIMEOUT_SECONDS,
        per_page=PAGE_SIZE,
        user_agent=USER_AGENT,
        # Sequential requests need no pause between them.
        seconds_between_requests=None,
        retry=GithubRetry(
            total=5,
            connect=2,
            backoff_factor=1,
            max_rate_limit_wait=MAX_WAIT_SECONDS,
            retry_after_max=MAX_WAIT_SECONDS,
            status_forcelist=[429, *range(500, 600)],
        ),
    )


def _api() -> str:
    return Settings().github_api.rstrip("/")


def _owned(github: "Github", account: str, *, private: bool) -> Iterable["GithubRepository"]:
    user = github.get_user(account)
    if user.type == "Organization":
        organization = github.get_organization(account)
        return organization.get_repos(type="all" if private else "public")
    if private and token_variable() is not None:
        owner = github.get_user()
        if (owner.login or "").lower() == account.lower():
            return owner.get_repos(affiliation="owner")
    return user.get_repos(type="owner")


def _listed(one: "GithubRepository") -> ListedRepository:
    if not one.full_name or not one.clone_url:
        raise SourceError(f"{_api()}: unreadable answer (a repository without a name or a URL)")
    spdx = one.license.spdx_id if one.license else None
    return ListedRepository(
        full_name=one.full_name,
        clone_url=one.clone_url,
        # NOASSERTION is how GitHub reports a licence it does not recognise.
        license=UNKNOWN if spdx in (None, "", "NOASSERTION") else spdx,
        topics=tuple(one.topics or ()),
        kilobytes=one.size or 0,
        fork=one.fork,
        archived=one.archived,
        disabled=bool(one.disabled),
        private=one.private,
    )


@contextmanager
def _explained(account: str) -> Iterator[None]:
    """Turn what PyGithub and requests raise into a SourceError without details of the request."""
    import github
    import requests
    import urllib3

    try:
        yield
    except github.RateLimitExceededException as error:
        raise SourceError(f"{_api()}: {_until(error)}") from None
    except github.BadCredentialsException:
        raise SourceError(f"{_api()}: rejects the token in {token_variable()}") from None
    except github.UnknownObjectException:
        raise SourceError(f"{_api()}: has no user or organisation {account!r}") from None
    except github.GithubException as error:
        words = " ".join(str(error.message or "no reason given").split())
        raise SourceError(f"{_api()}: HTTP {error.status}: {words}") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SourceError(f"{_api()}: does not answer ({type(error).__name__})") from None
    except UNREADABLE as error:
        if is_own_bug(error):
            raise
        raise SourceError(f"{_api()}: unreadable answer ({type(error).__name__})") from None


def _until(error: Exception) -> str:
    seconds = getattr(error, "wait", None)
    hint = "" if token_variable() else f", or set {TOKEN_VARIABLE}, which raises the limit"
    if seconds is None:
        return f"the rate limit is used up; run again later{hint}"
    until = datetime.now(UTC).astimezone() + timedelta(seconds=seconds)
    return f"the rate limit is used up until {until:%Y-%m-%d %H:%M %Z}; run again then{hint}"
