"""Responses of the YouTube Data API, as far as charmill reads them."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

SPENT = {"quotaExceeded", "dailyLimitExceeded"}
RATE_LIMITED = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}
OF_THE_KEY = re.compile(
    r"key|access|project|referer|ipAddress|service|auth|suspended", re.IGNORECASE
)
"""Reasons that concern the key or its project, such as "accessNotConfigured", and so every call."""
TOO_MANY_REQUESTS = 429
LONGEST_MESSAGE = 200
COMMENT = ("snippet", "topLevelComment", "snippet")


def _storable(value: object) -> object:
    """Replace what JSON can express and a text file cannot: lone surrogates and NUL."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")


Text = Annotated[str, BeforeValidator(_storable)]


class FoundVideo(BaseModel):
    """An item of `search.list`; channels and playlists have no video id."""

    video_id: str = Field(default="", validation_alias=AliasPath("id", "videoId"))


class FoundComment(BaseModel):
    """An item of `commentThreads.list`; the author of a closed account has at most a name."""

    id: Text
    text: Text = Field(validation_alias=AliasPath(*COMMENT, "textDisplay"))
    published: Text = Field(validation_alias=AliasPath(*COMMENT, "publishedAt"))
    channel: Text = Field(
        default="", validation_alias=AliasPath(*COMMENT, "authorChannelId", "value")
    )
    name: Text = Field(default="", validation_alias=AliasPath(*COMMENT, "authorDisplayName"))


class SearchPage(BaseModel):
    """A page of videos and the token of the next one."""

    model_config = ConfigDict(frozen=True)

    items: tuple[FoundVideo, ...]
    token: Text | None = Field(default=None, validation_alias="nextPageToken")


class CommentPage(BaseModel):
    """A page of comments and the token of the next one."""

    model_config = ConfigDict(frozen=True)

    items: tuple[FoundComment, ...]
    token: Text | None = Field(default=None, validation_alias="nextPageToken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a call returned no page.

    Attributes:
        text: one line.
        reasons: the server's codes, such as "commentsDisabled".
        is_daily_quota: the day's quota is spent, so retrying today is pointless.
        is_transient: retrying after a pause may succeed.
        is_about_the_item: the server will not give this item, but may give others.
    """

    text: str
    reasons: frozenset[str] = frozenset()
    is_daily_quota: bool = False
    is_transient: bool = False
    is_about_the_item: bool = False

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, status: int, content: bytes) -> Self:
        """Read an answer whose HTTP status is an error."""
        error = _error(content)
        details = [*_dicts(error.get("errors")), *_dicts(error.get("details"))]
        reasons = frozenset(str(d["reason"]) for d in details if "reason" in d)
        message = " ".join(str(error.get("message", "")).split())[:LONGEST_MESSAGE]
        is_rate_limited = status == TOO_MANY_REQUESTS or bool(reasons & RATE_LIMITED)
        is_daily = bool(reasons & SPENT) or (is_rate_limited and "per day" in message)
        is_transient = not is_daily and (is_rate_limited or status >= 500)
        is_of_the_key = any(OF_THE_KEY.search(reason) for reason in reasons)
        words = " ".join([f"HTTP {status}", *sorted(reasons)])
        return cls(
            text=f"{words}: {message}" if message else words,
            reasons=reasons,
            is_daily_quota=is_daily,
            is_transient=is_transient,
            is_about_the_item=400 <= status < 500
            and not (is_daily or is_transient or is_of_the_key or not reasons),
        )


def _error(content: bytes) -> dict[str, Any]:
    """The "error" object of a body, {} where there is none."""
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    found = _dicts([body])
    return next(iter(_dicts([found[0].get("error")] if found else [])), {})


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
