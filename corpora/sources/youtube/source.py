"""A YouTube search: the top-level comments of the videos it returns, one document per video.

`resolve` does not run the search: that would cost quota, and the result is never the same twice.
The query itself is the identity, so a collection that takes several days of quota resumes in one
folder. A fetch is repeated when forced, or when its first page is older than `retention_days`,
counted from the beginning of the collection: with calendar periods, every change of period would
discard what was collected, or trained on, the day before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal

from corpora.document import Entry, Snapshot
from corpora.sources.source import ItemStore, Resolution, SourceModel
from corpora.sources.youtube.credentials import read_key
from corpora.sources.youtube.search import YoutubeSearch
from corpora.sources.youtube.store import Video, VideoItems, expiry, outcomes
from system.progress import Progress
from system.settings import Settings


class YoutubeSource(YoutubeSearch, SourceModel):
    """The comments on the videos that a search returns.

    YouTube's terms require that stored comments are deleted after 30 days, and on request; so they
    are never copied to another machine, where neither could be done.
    """

    is_shareable: ClassVar[bool] = False
    items: ClassVar[ItemStore | None] = VideoItems()

    kind: Literal["youtube"]

    @property
    def retention(self) -> timedelta:
        """How long comments may be kept."""
        return timedelta(days=self.retention_days)

    def resolve(self) -> Resolution:
        """The query; nothing is requested."""
        return {"search": self.query}

    def fetch(self, resolution: Resolution, directory: Path) -> Iterator[Progress]:
        """Collect the comments in `directory`, resuming an unfinished collection.

        Raises:
            QuotaError: when the day's quota is spent; the next run resumes.
            SourceError: without a usable key, or if the server keeps failing.
        """
        from corpora.sources.youtube.api import SYSTEM_CLOCK
        from corpora.sources.youtube.collect import collect

        settings = Settings()
        return collect(
            self,
            directory,
            key=read_key(settings),
            endpoint=settings.youtube_endpoint,
            state=settings.state_folder,
            clock=SYSTEM_CLOCK,
        )

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` collected in `directory`."""
        return YoutubeSnapshot(directory)

    def expiry(self, directory: Path) -> datetime | None:
        """When the retention of a collection ends, counted from its first page."""
        return expiry(directory)


@dataclass(frozen=True, slots=True)
class YoutubeSnapshot:
    """Reads the comments that `YoutubeSource.fetch` collected."""

    directory: Path

    def entries(self) -> Iterator[Entry]:
        """List every video in the order of the search, with a problem if it has no comments."""
        for video in outcomes(self.directory).values():
            yield Entry(
                source="youtube",
                path=f"{video.video_id}.txt",
                size=len(video.text.encode()),
                handle=video.video_id,
                problem=_problem(video),
            )

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read the comments of videos, separated by blank lines."""
        for entry in entries:
            video = Video.load(self.directory, entry.handle)
            yield entry, None if _problem(video) else video.text.encode()


def _problem(video: Video) -> str | None:
    """Why a video has no text, None if it has, or could have had."""
    if video.comments or video.outcome == "ok":
        return None
    return {"disabled": "comments disabled", "not found": "video not found"}.get(
        video.outcome, f"comments {video.outcome}"
    )
