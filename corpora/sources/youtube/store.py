"""Comments on disk: one JSON file per video, and one for the list of videos from the search.

Each file is replaced atomically and records its own position in the paging with its content, so a
kill between two pages neither loses a page nor requests one twice.
"""

import logging
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ValidationError

from corpora.errors import SourceError
from system.files import write_whole

VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
LISTING = "search.json"
VIDEOS = "videos"
BARREN_PAGES = 3

VideoOutcome = Literal[
    "ok",
    "truncated",
    "disabled",
    "not found",
    "refused",
    "forgotten",
    "quota",
    "error",
    "pending",
]
UNFINISHED: set[VideoOutcome] = {"quota", "error", "pending"}
"""Outcomes of videos that the next run requests again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCursor:
    """The position in a paged listing.

    Attributes:
        asked: tokens of the pages received; "" for the first page.
        token: of the next page, None if there is none.
        barren: consecutive pages without anything new.
        note: why the listing was abandoned before its end, "" if it was not.
    """

    asked: tuple[str, ...] = ()
    token: str | None = ""
    barren: int = 0
    note: str = ""

    def after(self, token: str | None, *, new: int) -> "PageCursor":
        """The position after a page with `new` new items that names `token` as its next page."""
        asked = (*self.asked, self.token or "")
        barren = 0 if new else self.barren + 1
        position = PageCursor(asked=asked, token=token, barren=barren)
        if token in asked:
            return position.abandoned(f"page {len(asked)} repeated an earlier page token")
        if token is not None and barren == BARREN_PAGES:
            return position.abandoned(f"{barren} pages in a row brought nothing new")
        return position

    def abandoned(self, note: str) -> "PageCursor":
        """The end of a listing that will not be read further."""
        return replace(self, token=None, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A top-level comment; `id` and `author` are pseudonyms, addresses in `text` are masked."""

    id: str
    author: str
    published: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """The comments of one video, in the server's order, and the outcome of requesting them."""

    video_id: str
    outcome: VideoOutcome = "pending"
    detail: str = ""
    cursor: PageCursor = field(default_factory=PageCursor)
    comments: tuple[Comment, ...] = ()

    @property
    def text(self) -> str:
        """All comments, a blank line between two."""
        return "\n\n".join(comment.text for comment in self.comments if comment.text)

    def save(self, directory: Path) -> None:
        """Write into the dataset's folder."""
        (directory / VIDEOS).mkdir(exist_ok=True)
        write_whole(_video_path(directory, self.video_id), _adapter(Video).dump_json(self))

    @classmethod
    def load(cls, directory: Path, video_id: str) -> Self:
        """Read what `save` wrote; a video that was never requested is pending."""
        path = _video_path(directory, video_id)
        if not path.exists():
            return cls(video_id=video_id)
        return _load(Video, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The distinct videos of a search, best first.

    Attributes:
        delete_after: when the data must have been deleted; 30 days by YouTube's terms.
    """

    began: datetime
    delete_after: datetime
    cursor: PageCursor = field(default_factory=PageCursor)
    videos: tuple[str, ...] = ()

    def save(self, directory: Path) -> None:
        """Write into the dataset's folder."""
        write_whole(directory / LISTING, _adapter(Listing).dump_json(self, indent=1))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote."""
        return _load(Listing, directory / LISTING)

    @classmethod
    def load_or_begin(cls, directory: Path, now: datetime, retention: timedelta) -> Self:
        """The listing to resume, or a new one; data past its retention is deleted first."""
        end = expiry(directory)
        if end is not None and now >= end:
            logger.warning("%s: not finished by %s, starting over", directory, end.date())
            _discard(directory)
        if (directory / LISTING).exists():
            return cls.load(directory)
        return cls(began=now, delete_after=now + retention)


def outcomes(directory: Path) -> dict[str, Video]:
    """Every video of the search with its outcome, in the order of the search."""
    return {name: Video.load(directory, name) for name in Listing.load(directory).videos}


def expiry(directory: Path) -> datetime | None:
    """When the data in `directory` must be deleted or fetched again; None if there is none."""
    return Listing.load(directory).delete_after if (directory / LISTING).exists() else None


@dataclass(frozen=True, slots=True)
class VideoItems:
    """The comments of single videos, each deletable on request."""

    noun: ClassVar[str] = "video"
    unit: ClassVar[str] = "comments"

    def check(self, item: str) -> None:
        """Check the form of a video's id.

        Raises:
            SourceError: if no video can have this id; says what an id looks like.
        """
        if not VIDEO_ID.fullmatch(item):
            raise SourceError(f"{item!r} is not a video id: 11 of A-Z, a-z, 0-9, _ and -")

    def count(self, directory: Path, item: str) -> int | None:
        """Count the comments of a video, None if the collection does not list it."""
        if not (directory / LISTING).exists() or item not in Listing.load(directory).videos:
            return None
        return len(Video.load(directory, item).comments)

    def is_deleted(self, directory: Path, item: str) -> bool:
        """Whether a video's comments were deleted on request."""
        return Video.load(directory, item).outcome == "forgotten"

    def delete(self, directory: Path, item: str) -> None:
        """Delete a video's comments, and record that, so that no later fetch asks for them."""
        self.check(item)
        Video(video_id=item, outcome="forgotten", cursor=PageCursor(token=None)).save(directory)


def _discard(directory: Path) -> None:
    """Delete everything except the record of forgotten videos; the listing last."""
    for video in outcomes(directory).values():
        if video.outcome != "forgotten":
            _video_path(directory, video.video_id).unlink(missing_ok=True)
    (directory / LISTING).unlink()


def _video_path(directory: Path, video_id: str) -> Path:
    if not VIDEO_ID.fullmatch(video_id):
        raise SourceError(f"{video_id!r} is not the id of a video")
    return directory / VIDEOS / f"{video_id}.json"


def _load(kind: type, path: Path) -> Any:
    """Read a file of one of the classes above.

    Raises:
        SourceError: if it is damaged.
    """
    try:
        return _adapter(kind).validate_json(path.read_bytes())
    except ValidationError:
        raise SourceError(f"{path}: damaged; delete it, and it is fetched again") from None


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
