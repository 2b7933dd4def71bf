"""A YouTube search: the top-level comments of the videos it gives, one document per video.

Nothing here asks YouTube what the search would give now: that costs quota, and the answer is
never the same twice. The search itself is the identity, so a collection that takes several days of
quota goes on in one folder. A fetch is made anew when it is forced, or when its first page is older
than `retention_days`: that is counted from the collection's own beginning, since periods of a
calendar would throw away, at every turn, what was collected or trained on the day before.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from corpora.document import Entry, Snapshot, Step
from corpora.errors import SourceError
from corpora.sources.quota import GRANTED, Bucket, state_folder
from corpora.sources.youtube_store import Video, outcomes

KEY = "CHARMILL_YOUTUBE_KEY"
KEY_FILE = "CHARMILL_YOUTUBE_KEY_FILE"
ENDPOINT = "CHARMILL_YOUTUBE_ENDPOINT"
GOOGLE = "https://youtube.googleapis.com/"
LONGEST_KEY = 1_000
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
VISIBLE = re.compile(r"[\x21-\x7e]+")


class YoutubeSource(BaseModel):
    """The comments on the videos that a search gives.

    `region` is the country from which is searched, and in which telephone numbers are masked.
    The quota is the key's, whatever dataset spends it: this one stops when the key has spent
    `search_calls_per_day` or `units_per_day` today. YouTube's terms leave stored data 30 days.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["youtube"]
    query: str = Field(min_length=1, max_length=150)
    max_videos: int = Field(default=500, ge=1, le=5_000)
    comments_per_video: int = Field(default=1_000, ge=1, le=10_000)
    order: Literal["relevance", "date", "rating", "title", "viewCount"] = "relevance"
    comment_order: Literal["relevance", "time"] = "relevance"
    relevance_language: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[A-Za-z]{2,4})?$")
    region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    published_after: date | None = None
    published_before: date | None = None
    safe_search: Literal["none", "moderate", "strict"] = "moderate"
    search_calls_per_day: int = Field(default=GRANTED["search"], ge=1)
    units_per_day: int = Field(default=GRANTED["other"], ge=1)
    retention_days: int = Field(default=30, ge=1, le=30)

    @property
    def parameters(self) -> dict[str, str]:
        """The search as `search.list` is asked it."""
        asked = {
            "q": self.query,
            "order": self.order,
            "safeSearch": self.safe_search,
            "relevanceLanguage": self.relevance_language,
            "regionCode": self.region,
            "publishedAfter": self.published_after and f"{self.published_after}T00:00:00Z",
            "publishedBefore": self.published_before and f"{self.published_before}T00:00:00Z",
        }
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def limits(self) -> dict[Bucket, int]:
        """What may be spent in a day."""
        return {"search": self.search_calls_per_day, "other": self.units_per_day}

    def resolve(self) -> dict[str, str]:
        """Say what is asked for, without asking it."""
        return {"search": self.query}

    def fetch(self, resolution: dict[str, str], directory: Path) -> Iterator[Step]:
        """Collect the comments into `directory`, going on with what stands there.

        Raises:
            QuotaError: when the day's quota is spent; the next run goes on.
            SourceError: without a usable key, or if the server keeps failing.
        """
        from corpora.sources.youtube_api import SYSTEM_CLOCK
        from corpora.sources.youtube_collect import collect

        return collect(
            self,
            directory,
            key=read_key(os.environ),
            endpoint=read_endpoint(os.environ),
            state=state_folder(os.environ),
            clock=SYSTEM_CLOCK,
        )

    def open(self, directory: Path) -> Snapshot:
        """Open what `fetch` left in `directory`."""
        return YoutubeSnapshot(directory)


@dataclass(frozen=True, slots=True)
class YoutubeSnapshot:
    """Reads the comments that `YoutubeSource.fetch` left."""

    directory: Path

    def entries(self) -> Iterator[Entry]:
        """List every video in the order of the search; those without comments say why."""
        for video in outcomes(self.directory).values():
            yield Entry(
                source="youtube",
                path=f"{video.video_id}.txt",
                size=len(video.text.encode()),
                handle=video.video_id,
                problem=_problem(video),
            )

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read the comments of videos, a blank line between two."""
        for entry in entries:
            video = Video.load(self.directory, entry.handle)
            yield entry, None if _problem(video) else video.text.encode()


def read_key(environment: Mapping[str, str]) -> SecretStr:
    """The API key, from CHARMILL_YOUTUBE_KEY or the file CHARMILL_YOUTUBE_KEY_FILE names.

    Raises:
        SourceError: if there is none, or others than its owner may read the file.
    """
    if environment.get(KEY, "").strip():
        return _checked(SecretStr(environment[KEY].strip()), KEY)
    name = environment.get(KEY_FILE, "")
    if not name:
        raise SourceError(
            f"YouTube: no API key; set {KEY}, or {KEY_FILE} to a file with the key and mode 0600"
        )
    path = Path(name).expanduser()
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise SourceError(
                    f"{path}: not for its owner alone (mode {mode:04o}); chmod 600 it"
                )
            return _checked(SecretStr(file.read(LONGEST_KEY).strip()), str(path))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror} (named by {KEY_FILE})") from None


def read_endpoint(environment: Mapping[str, str]) -> str:
    """Where the API is: Google's, or what CHARMILL_YOUTUBE_ENDPOINT names.

    Raises:
        SourceError: for an address that would carry the key in the clear to another machine.
    """
    endpoint = environment.get(ENDPOINT) or GOOGLE
    parts = urlsplit(endpoint)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        raise SourceError(f"{ENDPOINT}: {endpoint!r} is neither https:// nor http://127.0.0.1")
    return endpoint


def _checked(key: SecretStr, place: str) -> SecretStr:
    if not VISIBLE.fullmatch(key.get_secret_value()):
        raise SourceError(f"{place}: is no API key: one word of ASCII is expected")
    return key


def _problem(video: Video) -> str | None:
    """Why a video has no text, None if it has, or could have had."""
    if video.comments or video.outcome == "ok":
        return None
    return {"disabled": "comments disabled", "not found": "video not found"}.get(
        video.outcome, f"comments {video.outcome}"
    )
