"""A collection of 500 videos in which every kind of fault occurs, in a realistic order."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from corpora.sources.youtube.quota import QuotaError
from corpora.sources.youtube.store import Listing
from tests.corpora.sources.youtube.run import Collection, threads
from tests.corpora.sources.youtube.server import KEY, RESET, error, video_ids
from tests.processes import DEADLINE_SECONDS

NAMES = video_ids(500)
DISABLED, MISSING = NAMES[40], NAMES[41]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret" / "key"
    path.parent.mkdir()
    path.write_text(KEY)
    path.chmod(0o600)
    return path


def start(collection: Collection, key_file: Path, pages: int) -> subprocess.Popen:
    """Collect in a process that kills itself after a number of pages."""
    places = [collection.directory, collection.state, collection.server.url]
    arguments = [*map(str, places), collection.now.isoformat(), str(pages)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.corpora.sources.youtube.process", *arguments],
        env=os.environ | {"CHARMILL_YOUTUBE_KEY_FILE": str(key_file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill_after(collection: Collection, key_file: Path, pages: int) -> bytes:
    """Let a process die after a number of pages; returns its output."""
    process = start(collection, key_file, pages)
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGKILL, said
    return said


def kill_within_a_request(collection: Collection, key_file: Path, number: int) -> dict[str, bytes]:
    """Kill a process while the server handles its request; returns what `ps` showed of it."""
    seen = {}
    process = start(collection, key_file, 0)

    def look_and_kill() -> None:
        for name in ("cmdline", "environ"):
            seen[name] = Path(f"/proc/{process.pid}/{name}").read_bytes()
        process.kill()
        process.wait()

    collection.server.meanwhile = {number: look_and_kill}
    seen["output"], _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGKILL, seen["output"]
    return seen


def prepare(collection: Collection) -> None:
    """12 pages that overlap, the last naming an earlier one as the next; one of them is empty."""
    server = collection.server
    pages = [NAMES[max(0, 46 * n - 4) : 46 * n + 46] for n in range(11)]
    server.search = [*pages[:6], [], *pages[6:]]
    server.search_tokens = {11: "S5"}
    server.threads = {name: threads(name, 1) for name in NAMES}
    server.threads[NAMES[7]] = threads(NAMES[7], 250)
    server.threads[DISABLED], server.threads[MISSING] = "commentsDisabled", "videoNotFound"


def passing_faults(first: int) -> dict:
    """Faults that occur once each, at successive requests, starting with the request `first`."""
    faults = [
        error(429, "rateLimitExceeded"),
        error(500, "backendError"),
        (200, b'{"items": [{"id'),
        (200, b"<html>"),
        (RESET, b'{"items": ['),
        None,
    ]
    return {first + 7 * number: fault for number, fault in enumerate(faults)}


def test_500_videos_come_whole_through_everything_that_can_happen(collection, key_file):
    server = collection.server
    prepare(collection)
    server.limits["other"] = 300
    said = kill_after(collection, key_file, 5)
    said += kill_after(collection, key_file, 10)
    seen = kill_within_a_request(collection, key_file, 20)
    server.plan = passing_faults(30)
    with pytest.raises(QuotaError):
        collection.run(max_videos=1_000)
    assert server.spent[0, "other"] == 300
    requests = len(server.log)
    collection.now = collection.now.replace(hour=7) + timedelta(days=1)
    with pytest.raises(QuotaError):
        collection.run(max_videos=1_000)
    assert len(server.log) == requests
    collection.now += timedelta(hours=1)  # midnight in California
    server.day += 1
    said += kill_after(collection, key_file, 100)
    collection.run(max_videos=1_000)
    collection.run(max_videos=1_000)

    assert Listing.load(collection.directory).videos == tuple(NAMES)
    held = [name for name in NAMES if name not in (DISABLED, MISSING)]
    expected = {f"{name}.txt": [t["snippet"] for t in server.threads[name]] for name in held}
    texts = collection.texts()
    assert texts.keys() == expected.keys()
    for name, snippets in expected.items():
        said_there = [one["topLevelComment"]["snippet"]["textDisplay"] for one in snippets]
        assert texts[name].split("\n\n") == said_there
    assert_nothing_was_asked_twice(server)
    assert KEY.encode() not in said + b"".join(seen.values())
    assert b"youtube.process" in seen["cmdline"]


def assert_nothing_was_asked_twice(server) -> None:
    """Only a request without a usable answer may be repeated: 6 faults, 1 kill, 1 refusal."""
    asked = [*server.asked("search"), *server.asked("commentThreads")]
    assert len(asked) - len(set(asked)) == 8
    assert server.asked("search") == [("", f"S{n}" if n else "") for n in range(12)]
