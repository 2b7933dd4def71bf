"""Servers with the APIs of YouTube and GitHub, for the two datasets that need an account.

The comments are invented, sentence by sentence, and say so. The account owns whichever of a few
well-known Python projects have a mirror.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.corpora.sources.github.api import ACCOUNT, Fake, Handler, row
from tests.corpora.sources.youtube.server import KEY, YoutubeServer, running, thread, video_ids

VIDEOS = 200
COMMENTS = 60
PAGE = 50
"""Videos on a page of the search, as YouTube has them."""
PROJECTS = ("pallets/flask", "psf/requests", "tornadoweb/tornado", "pytest-dev/pytest")
WORDS: Mapping[str, tuple[str, ...]] = {
    "sentence": (
        "{who} {sees} {thing}, so {claim}.",
        "{opening}, {claim}.",
        "{question}",
        "{who} never {sees} {thing}{doubt}",
        "{opening}: {who} {sees} {thing} and nobody asks why {claim}.",
    ),
    "who": ("a pilot", "my uncle", "the invented captain", "everyone with a level", "a surveyor"),
    "sees": ("sees", "photographs", "draws", "measures", "walks around", "has heard of"),
    "thing": (
        *("the horizon", "a very long bridge", "the shadow of a pole", "the edge of the map"),
        *("a ship that sinks behind the water", "the moon in a bucket", "the midnight sun"),
    ),
    "claim": (
        *("water finds its level", "the map must have an edge", "the ball is too large to see"),
        *("somebody has drawn the curve by hand", "eight inches a mile is not much"),
        *("this comment was made up", "a shadow in two towns proves the ball"),
    ),
    "opening": ("Think about it", "With respect", "I did the sums", "As a made-up person I say"),
    "question": (
        *("Where is the curve?", "Why does my bath not slope?", "Who has been to the edge?"),
        *("Has anyone here used a telescope?", "Which way is down in Australia?"),
    ),
    "doubt": ("...", "!", " - think.", ", or so they say."),
}


@contextmanager
def services(mirrors: Path) -> Iterator[dict[str, str]]:
    """Serve both APIs on this machine; yields the variables that lead `charmill` to them."""
    names = [name for name in PROJECTS if (mirrors / name.replace("/", "+")).exists()]
    youtube = _comments()
    with running(youtube), _account(names) as github:
        yield {
            "CHARMILL_YOUTUBE_KEY": KEY,
            "CHARMILL_YOUTUBE_ENDPOINT": youtube.url,
            "CHARMILL_GITHUB_API": github,
        }


def account() -> str:
    """The name of the account."""
    return ACCOUNT


def _comments() -> YoutubeServer:
    chance = random.Random(1)
    names = video_ids(VIDEOS)
    return YoutubeServer(
        search=[names[start : start + PAGE] for start in range(0, VIDEOS, PAGE)],
        threads={
            name: [
                thread(f"{name}-{number}", _comment(chance), f"UC-invented-{number}")
                for number in range(COMMENTS)
            ]
            for name in names
        },
    )


def _comment(chance: random.Random) -> str:
    sentences = (_expanded("{sentence}", chance) for _ in range(chance.randint(1, 6)))
    return " ".join(text[0].upper() + text[1:] for text in sentences)


def _expanded(text: str, chance: random.Random) -> str:
    while "{" in text:
        before, _, rest = text.partition("{")
        name, _, after = rest.partition("}")
        text = before + chance.choice(WORDS[name]) + after
    return text


@contextmanager
def _account(names: list[str]) -> Iterator[str]:
    rows = [
        row(
            Path(name),
            name=name.split("/")[1],
            full_name=f"{ACCOUNT}/{name.split('/')[1]}",
            clone_url=f"https://github.com/{name}",
            license=None,
        )
        for name in names
    ]
    served = type("Served", (Handler,), {"fake": Fake(repositories=rows)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), served)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
