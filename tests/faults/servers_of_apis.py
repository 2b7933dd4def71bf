"""Servers of YouTube's and GitHub's APIs and of git that stall, drip, cut and lie."""

import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace

import urllib3.util.retry
from pydantic import SecretStr

from corpora.errors import SourceError
from corpora.sources.git.fetch import fetch_repository, find_commit
from corpora.sources.git.process import GitLimits
from corpora.sources.git.repository import Repository
from corpora.sources.github import api as github_api
from corpora.sources.github import connection
from corpora.sources.github.source import GithubAccountSource
from corpora.sources.pacing import Pace
from corpora.sources.youtube.api import Clock, YoutubeApi
from corpora.sources.youtube.quota import GRANTED, Quota
from tests.faults.liar import Liar, Request, lying
from tests.faults.mutation import mutated
from tests.faults.servers import FAULTS_OF_ANSWERS
from tests.faults.table import Fault, LostError

PACE = Pace(seconds=0.4, bytes_per_second=1_000, max_bytes=2_000_000)
TIMEOUT_SECONDS = 0.4
LONGEST_SECONDS = 60.0
GIT_LIMITS = GitLimits(stall_seconds=1.0, total_seconds=3.0, poll_seconds=0.1)
COMMENTS = {
    "items": [
        {
            "id": "x",
            "snippet": {
                "topLevelComment": {
                    "snippet": {
                        "textDisplay": "a comment",
                        "publishedAt": "2026-01-02T03:04:05Z",
                        "authorChannelId": {"value": "UC-somebody"},
                        "authorDisplayName": "@somebody",
                    }
                }
            },
        }
    ],
    "nextPageToken": "next",
}
ACCOUNT = {"login": "some-one", "type": "User", "url": "/users/some-one"}
REPOSITORIES = [
    {
        "name": "thing",
        "full_name": "some-one/thing",
        "url": "/repos/some-one/thing",
        "clone_url": "https://127.0.0.1:1/some-one/thing",
        "license": {"key": "mit", "spdx_id": "MIT", "url": None},
        "topics": ["a"],
        "size": 10,
        "fork": False,
        "archived": False,
        "disabled": False,
        "private": False,
    }
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFERENCES = (
    b"001e# service=git-upload-pack\n0000"
    b"0155" + COMMIT.encode() + b" HEAD\0multi_ack thin-pack side-band side-band-64k ofs-delta "
    b"shallow deepen-since deepen-not deepen-relative no-progress include-tag multi_ack_detailed "
    b"allow-tip-sha1-in-want allow-reachable-sha1-in-want no-done symref=HEAD:refs/heads/main "
    b"filter object-format=sha1 agent=git/2.39.5 aaaaaaaaaaaaaaaaaaaaaaaa\n"
    b"003d" + COMMIT.encode() + b" refs/heads/main\n0000"
)


def _json(value: object, *, status: str = "200 OK") -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = request.head(status, Content_Length=len(body), Content_Type="application/json")
        request.send(head + body)

    return answer


def _bomb(request: Request) -> None:
    body = gzip.compress(b" " * 300_000_000)
    request.send(request.head(Content_Length=len(body), Content_Encoding="gzip") + body)


def _mutated_json(random: Random, value: object) -> Callable[[Request], None]:
    status = random.choice(
        ("200 OK", "200 OK", "200 OK", "403 Forbidden", "404 Not Found", "500 X")
    )
    return _json(mutated(random, json.dumps(value).encode()), status=status)


def _fault(random: Random, value: object) -> Callable[[Request], None]:
    """Any lie, or a page that is damaged."""
    if random.random() < 0.5:
        return _mutated_json(random, value)
    return random.choice([_bomb, *FAULTS_OF_ANSWERS.values()])


def _bounded(
    random: Random, action: Callable[[Liar], None], honest: Callable, page: object
) -> None:
    """Do something against a server that lies; it must succeed, or end in one line."""
    with lying(b"") as liar:
        lie, lies = _fault(random, page), random.choice((1, 2, 10**9))

        def answer(request: Request) -> None:
            liar.answered = getattr(liar, "answered", 0) + 1  # type: ignore[attr-defined]
            (lie if liar.answered <= lies else honest)(request)  # type: ignore[attr-defined]

        liar.fault, liar.lies = answer, 10**9
        began = time.monotonic()
        try:
            action(liar)
        except SourceError as error:
            assert "\n" not in str(error), error
        if (seconds := time.monotonic() - began) > LONGEST_SECONDS:
            raise LostError(f"held for {seconds:.0f} s")


def _youtube(random: Random) -> None:
    """One page of comments, with the client's five attempts."""
    clock = Clock(now=lambda: datetime(2026, 11, 22, 20, tzinfo=UTC), sleep=lambda _: None)
    key = SecretStr("AIzaSy-planted")

    def ask(liar: Liar) -> None:
        with tempfile.TemporaryDirectory() as state:
            quota = Quota.of_key(key, Path(state), GRANTED, clock.now)
            api = YoutubeApi(
                key, f"{liar.url}/", quota, clock, timeout_seconds=TIMEOUT_SECONDS, pace=PACE
            )
            with api:
                api.comments("v-000000001", "relevance", "")

    _bounded(random, ask, _json(COMMENTS), COMMENTS)


def _github(random: Random) -> None:
    """The list of an account's repositories."""
    connection.PACE = PACE
    github_api.TIMEOUT_SECONDS = 1  # type: ignore[misc]  # PyGithub takes whole seconds
    urllib3.util.retry.time = SimpleNamespace(  # type: ignore[attr-defined]
        sleep=lambda _: None, time=time.time, monotonic=time.monotonic
    )

    def honest(request: Request) -> None:
        _json(REPOSITORIES if "/repos" in request.path else ACCOUNT)(request)

    def ask(liar: Liar) -> None:
        os.environ["CHARMILL_GITHUB_API"] = liar.url
        try:
            GithubAccountSource(kind="github_account", account="some-one").resolve()
        finally:
            del os.environ["CHARMILL_GITHUB_API"]

    _bounded(random, ask, honest, random.choice((ACCOUNT, REPOSITORIES)))


def _chatter(request: Request) -> None:
    """Progress for ever, as a server sends it that works hard."""
    request.send(request.head(Content_Type="application/x-git-upload-pack-result"))
    line = b"\x02Counting objects:   1% (1/100)\r"
    while not request.liar.stopped.wait(0.1):
        request.send(b"0008NAK\n" + b"%04x" % (len(line) + 4) + line)


def _git(random: Random) -> None:
    """Find a commit and fetch it over HTTP."""
    references = REFERENCES if random.random() < 0.5 else mutated(random, REFERENCES)
    lie = random.choice([_chatter, _bomb, *FAULTS_OF_ANSWERS.values()])
    lies_at_once = random.random() < 0.5

    def answer(request: Request) -> None:
        if lies_at_once or request.method == "POST":
            lie(request)
            return
        kind = "application/x-git-upload-pack-advertisement"
        head = request.head(Content_Length=len(references), Content_Type=kind)
        request.send(head + references)

    with lying(b"") as liar, tempfile.TemporaryDirectory() as folder:
        liar.fault, liar.lies = answer, 10**9
        repository = Repository(url=f"{liar.url}/thing")
        began = time.monotonic()
        try:
            found = find_commit(repository, limits=GIT_LIMITS) or COMMIT
            for _ in fetch_repository(repository, found, Path(folder), limits=GIT_LIMITS):
                pass
            raise LostError("a repository that does not exist was fetched")
        except SourceError as error:
            assert "\n" not in str(error), error
        left = [path.name for path in Path(folder).iterdir()]
        if left or time.monotonic() - began > LONGEST_SECONDS:
            raise LostError(f"left {left} after {time.monotonic() - began:.0f} s")


FAULTS = [
    Fault(name="YouTube's API", rounds=600, short_rounds=4, run=_youtube, seconds=120),
    Fault(name="GitHub's API", rounds=600, short_rounds=4, run=_github, seconds=120),
    Fault(name="git over HTTP", rounds=200, short_rounds=3, run=_git, seconds=120),
]
