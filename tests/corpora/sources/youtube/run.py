"""Run a collection against a local server, on a day that the test chooses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from corpora.sources.youtube.api import Clock
from corpora.sources.youtube.collect import collect
from corpora.sources.youtube.source import YoutubeSource
from corpora.sources.youtube.store import outcomes
from system.progress import Progress
from tests.corpora.sources.youtube.server import KEY, YoutubeServer, thread, video_ids


@dataclass
class Collection:
    """A folder, a server, and a clock that only the test advances."""

    directory: Path
    state: Path
    server: YoutubeServer
    now: datetime = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    pauses: list[float] = field(default_factory=list)

    def steps(self, **fields: Any) -> Iterator[Progress]:
        """The progress of the collection."""
        clock = Clock(now=lambda: self.now, sleep=self.pauses.append)
        return collect(
            source(**fields),
            self.directory,
            key=SecretStr(KEY),
            endpoint=self.server.url,
            state=self.state,
            clock=clock,
        )

    def run(self, **fields: Any) -> list[Progress]:
        """Collect to the end."""
        return list(self.steps(**fields))

    def next_day(self, days: int = 1) -> None:
        """Advance the clock, here and on the server."""
        self.now += timedelta(days=days)
        self.server.day += days

    def outcomes(self) -> list[str]:
        """The outcome of every video, in order."""
        return [video.outcome for video in outcomes(self.directory).values()]

    def texts(self) -> dict[str, str]:
        """Every document by its path."""
        snapshot = source().open(self.directory)
        read = snapshot.read(snapshot.entries())
        return {entry.path: content.decode() for entry, content in read if content is not None}

    def ledger(self) -> list[tuple[int, int]]:
        """(search calls, units) of every day with a request, as recorded here."""
        (path,) = self.state.glob("youtube-quota-*.json")
        days = json.loads(path.read_text())
        return [(days[day]["search"], days[day]["other"]) for day in sorted(days)]

    def server_ledger(self) -> list[tuple[int, int]]:
        """The same, as counted by the server."""
        spent = self.server.spent
        days = sorted({day for day, _ in spent})
        return [(spent[day, "search"], spent[day, "other"]) for day in days]


def source(**fields: Any) -> YoutubeSource:
    """A source, as a TOML gives it."""
    return YoutubeSource.model_validate({"kind": "youtube", "query": "flat earth", **fields})


def threads(video_id: str, count: int) -> list[dict[str, Any]]:
    """Comments with distinct texts."""
    return [thread(f"{video_id}.{n}", f"comment {n} on {video_id}") for n in range(count)]


def hold(collection: Collection, *counts: int | str) -> list[str]:
    """Make the search return videos with these numbers of comments (or this refusal)."""
    names = video_ids(len(counts))
    collection.server.search = [names]
    collection.server.threads = {
        name: threads(name, count) if isinstance(count, int) else count
        for name, count in zip(names, counts, strict=True)
    }
    return names
