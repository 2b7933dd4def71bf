"""A YouTube search, and how many of its comments to read."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from corpora.sources.youtube.quota import GRANTED, Bucket


class YoutubeSearch(BaseModel):
    """A search for videos, and limits on what is read of them.

    The quota is shared by all datasets of a key.

    Attributes:
        query: what to search for.
        max_videos: how many of the videos found to read.
        comments_per_video: how many top-level comments to read of each.
        order: of the videos.
        comment_order: of the comments.
        relevance_language: language that found videos should have, as `en`.
        region: country to search from, and whose telephone numbers are masked, as `US`.
        published_after: only videos published since this day.
        published_before: only videos published before this day.
        safe_search: YouTube's filter of restricted videos.
        search_calls_per_day: stop for today when the key has made this many searches.
        units_per_day: stop for today when the key has spent this many units on anything else.
        retention_days: after this many days comments are outdated; YouTube's terms allow 30.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
        """The search as parameters of `search.list`."""
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
        """Requests allowed in a day, by bucket."""
        return {"search": self.search_calls_per_day, "other": self.units_per_day}
