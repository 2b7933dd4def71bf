"""Collect the comments of a search: list the videos, then read each one's comments.

Every page is on the disk before the next one is requested. After any interruption, the same call in
the same folder resumes.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from corpora.errors import SourceError
from corpora.sources.youtube.api import CallError, Clock, YoutubeApi
from corpora.sources.youtube.privacy import load_salt, masked, pseudonym
from corpora.sources.youtube.quota import Quota, QuotaError
from corpora.sources.youtube.responses import CommentPage, Fault, FoundComment, SearchPage
from corpora.sources.youtube.search import YoutubeSearch
from corpora.sources.youtube.store import (
    UNFINISHED,
    VIDEO_ID,
    Comment,
    Listing,
    PageCursor,
    Video,
    VideoOutcome,
    outcomes,
)
from system.progress import Progress

DEFAULT_REGION = "US"
ERRORS_IN_A_ROW = 3
INVALID_TOKEN = "invalidPageToken"  # noqa: S105 (a word of the API)
REFUSALS: dict[str, VideoOutcome] = {"commentsDisabled": "disabled", "videoNotFound": "not found"}

logger = logging.getLogger(__name__)


def collect(
    search: YoutubeSearch,
    directory: Path,
    *,
    key: SecretStr,
    endpoint: str,
    state: Path,
    clock: Clock,
) -> Iterator[Progress]:
    """Collect the comments of every video in `directory`, yielding progress.

    Args:
        state: folder with the ledger of the key's quota.

    Raises:
        QuotaError: when the day's quota is spent; says when to run again.
        SourceError: if the search finds nothing, or the server keeps failing.
    """
    quota = Quota.of_key(key, state, search.limits, clock.now)
    retention = timedelta(days=search.retention_days)
    listing = Listing.load_or_begin(directory, clock.now(), retention)
    listing.save(directory)
    with YoutubeApi(key, endpoint, quota, clock) as api:
        collector = _Collector(search, directory, api, load_salt(directory))
        try:
            listing = yield from collector.list_videos(listing)
            yield from collector.read_videos(listing)
        except QuotaError:
            _mark_waiting(directory)
            raise


@dataclass(frozen=True, slots=True)
class _Collector:
    search: YoutubeSearch
    directory: Path
    api: YoutubeApi
    salt: bytes

    def list_videos(self, listing: Listing) -> Generator[Progress, None, Listing]:
        """Read pages of the search until there are enough distinct videos."""
        while listing.cursor.token is not None and len(listing.videos) < self.search.max_videos:
            listing = self._listing_after(listing, listing.cursor.token)
            listing.save(self.directory)
            note = listing.cursor.note
            if note:
                logger.warning("search: %s, after %d videos", note, len(listing.videos))
            yield Progress(done=len(listing.videos), total=None, unit="videos found", note=note)
        if not listing.videos:
            replace(listing, cursor=PageCursor()).save(self.directory)
            raise SourceError(f"YouTube: no video found for {self.search.query!r}")
        return listing

    def read_videos(self, listing: Listing) -> Iterator[Progress]:
        """Read the comments of every video that is not finished; those that failed before last."""
        errors, total = 0, len(listing.videos)
        tally: Counter[str] = Counter()
        for done, video_id in enumerate(sorted(listing.videos, key=self._has_failed)):
            video = Video.load(self.directory, video_id)
            while video.outcome in UNFINISHED:
                video = self._video_after(video)
                video.save(self.directory)
                yield Progress(done=done, total=total, unit="videos", note=_described(video))
                if video.outcome == "error":
                    break
            tally[video.outcome] += 1
            errors = errors + 1 if video.outcome == "error" else 0
            if errors == ERRORS_IN_A_ROW:
                raise SourceError(
                    f"YouTube: {errors} videos in a row failed, the last one by {video.detail}; "
                    "what was fetched is kept, run again later"
                )
        self._check(listing, tally)
        note = ", ".join(f"{count} {outcome}" for outcome, count in tally.most_common())
        logger.info("comments of %d videos: %s", total, note)
        yield Progress(done=total, total=total, unit="videos", note=note)

    def _has_failed(self, video_id: str) -> bool:
        return Video.load(self.directory, video_id).outcome == "error"

    def _check(self, listing: Listing, tally: Counter[str]) -> None:
        """Stop if the server refused every video: then the reason is not in the videos."""
        if tally["refused"] + tally["error"] < len(listing.videos):
            return
        videos = [Video.load(self.directory, video_id) for video_id in listing.videos]
        for video in videos:
            replace(video, outcome="error").save(self.directory)
        raise SourceError(f"YouTube: every video was refused, the last one by {videos[-1].detail}")

    def _listing_after(self, listing: Listing, token: str) -> Listing:
        """The listing with one more page."""
        try:
            page = self.api.search(self.search.parameters, token)
        except CallError as error:
            if INVALID_TOKEN not in error.fault.reasons:
                raise
            return replace(listing, cursor=listing.cursor.abandoned(str(error.fault)))
        return _with_videos(listing, page, self.search.max_videos)

    def _video_after(self, video: Video) -> Video:
        """The video with one more page, or with the reason why there is none."""
        token = video.cursor.token
        assert token is not None
        try:
            page = self.api.comments(video.video_id, self.search.comment_order, token)
        except CallError as error:
            return _refused(video, error.fault)
        return self._with_comments(video, page)

    def _with_comments(self, video: Video, page: CommentPage) -> Video:
        known = {comment.id for comment in video.comments}
        found = {comment.id: comment for comment in map(self._comment, page.items)}
        new = [comment for comment in found.values() if comment.id not in known]
        comments = (*video.comments, *new)
        cursor = video.cursor.after(page.token, new=len(new))
        cap = self.search.comments_per_video
        outcome, detail = "pending", ""
        if len(comments) > cap or (len(comments) == cap and cursor.token is not None):
            outcome, detail = "truncated", f"the first {cap:,} comments"
        elif cursor.token is None:
            outcome, detail = ("truncated", cursor.note) if cursor.note else ("ok", "")
        return Video(
            video_id=video.video_id,
            outcome=outcome,
            detail=detail,
            cursor=cursor,
            comments=comments[:cap],
        )

    def _comment(self, item: FoundComment) -> Comment:
        return Comment(
            id=pseudonym(self.salt, item.id),
            author=pseudonym(self.salt, item.channel or item.name),
            published=item.published,
            text=masked(item.text.strip(), self.search.region or DEFAULT_REGION),
        )


def _with_videos(listing: Listing, page: SearchPage, max_videos: int) -> Listing:
    found = dict.fromkeys(item.video_id for item in page.items)
    new = [v for v in found if VIDEO_ID.fullmatch(v) and v not in listing.videos]
    return replace(
        listing,
        cursor=listing.cursor.after(page.token, new=len(new)),
        videos=(*listing.videos, *new)[:max_videos],
    )


def _refused(video: Video, fault: Fault) -> Video:
    outcome: VideoOutcome = "refused" if fault.is_about_the_item else "error"
    for reason in fault.reasons:
        outcome = REFUSALS.get(reason, outcome)
    if INVALID_TOKEN in fault.reasons and video.comments:
        outcome = "truncated"
    return replace(video, outcome=outcome, detail=str(fault))


def _mark_waiting(directory: Path) -> None:
    """Record that every unfinished video waits for quota."""
    for video in outcomes(directory).values():
        if video.outcome in UNFINISHED:
            replace(video, outcome="quota", detail="").save(directory)


def _described(video: Video) -> str:
    return f"{video.video_id}: {len(video.comments):,} comments, {video.outcome};"
