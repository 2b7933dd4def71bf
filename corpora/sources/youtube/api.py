"""The two calls of the YouTube Data API that charmill makes, counted, retried and typed.

The key is sent in a header and known only to `KeyedHttp`. No exception that leaves this module was
raised inside the client, so none carries a frame, a cause or a context with the key.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Literal, Self, TypeVar, cast

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from pydantic import SecretStr, ValidationError
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from corpora.errors import SourceError
from corpora.sources.pacing import PACE, Pace, PacedSocket
from corpora.sources.youtube.quota import Bucket, Quota
from corpora.sources.youtube.responses import CommentPage, Fault, SearchPage
from system.damage import is_own_bug

ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60
TIMEOUT_SECONDS = 60
LOST = (OSError, HTTPException, httplib2.HttpLib2Error)
# What the client raises for an unexpected body, for example for a 403 with the body "[]".
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
MASK = b"[key]"

Page = TypeVar("Page", SearchPage, CommentPage)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The current time and a way to wait, as arguments for tests to replace."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), sleep=time.sleep)


class CallError(SourceError):
    """A call that the server refused.

    Attributes:
        fault: what the server said.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"YouTube: {fault}")
        self.fault = fault

    def __reduce__(self) -> tuple[type[Self], tuple[Fault]]:
        """Pickles, so that it can be raised in another process."""
        return type(self), (self.fault,)


class TransientCallError(CallError):
    """A call that failed and may succeed at the next attempt."""


class YoutubeApi:
    """The API at `endpoint`; every request is recorded in `quota` before it is sent."""

    def __init__(
        self,
        key: SecretStr,
        endpoint: str,
        quota: Quota,
        clock: Clock,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        pace: Pace = PACE,
    ) -> None:
        self._quota = quota
        self._retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(max=LONGEST_PAUSE_SECONDS),
            retry=retry_if_exception_type(TransientCallError),
            sleep=clock.sleep,
            before_sleep=before_sleep_log(logger, logging.WARNING),
            reraise=True,
        )
        self._http = KeyedHttp(key, endpoint, timeout_seconds, pace)
        self._service: Any = build(
            "youtube",
            "v3",
            http=self._http,
            client_options={"api_endpoint": endpoint},
            static_discovery=True,
            cache_discovery=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()

    def search(self, parameters: Mapping[str, str], token: str) -> SearchPage:
        """One page of videos.

        Raises:
            QuotaError: if the day's search calls are spent.
            CallError: if the server refused, or failed at every attempt (TransientCallError).
        """
        asked = {**parameters, "part": "snippet", "type": "video", "maxResults": 50}
        return self._page("search", self._service.search().list, asked, token, SearchPage)

    def comments(self, video_id: str, order: str, token: str) -> CommentPage:
        """One page of a video's top-level comments. Raises as `search` does."""
        asked = {
            "videoId": video_id,
            "order": order,
            "part": "snippet",
            "textFormat": "plainText",
            "maxResults": 100,
        }
        return self._page("other", self._service.commentThreads().list, asked, token, CommentPage)

    def _page(
        self,
        bucket: Bucket,
        method: Callable[..., Any],
        parameters: Mapping[str, Any],
        token: str,
        kind: type[Page],
    ) -> Page:
        asked = {**parameters, "pageToken": token} if token else parameters
        return self._retrying(self._attempt, bucket, method, asked, kind)

    def _attempt(
        self,
        bucket: Bucket,
        method: Callable[..., Any],
        parameters: Mapping[str, Any],
        kind: type[Page],
    ) -> Page:
        day = self._quota.spend(bucket)
        # The client's own num_retries would send requests that the ledger does not count.
        answer = _parsed(_answer(method(**parameters)), kind)
        if not self._http.is_sent:
            self._quota.give_back(bucket, day)
        if isinstance(answer, Fault):
            if answer.is_daily_quota:
                raise self._quota.refused(bucket, day)
            raise (TransientCallError if answer.is_transient else CallError)(answer)
        return answer


class KeyedHttp(httplib2.Http):
    """Adds the key to requests, and removes it from responses.

    Sends every request once: httplib2 would repeat it on a lost connection, at the quota's expense.
    Does not follow redirects, which could send the key to any server. Answers are limited in size,
    so they may not be packed.

    Attributes:
        is_sent: whether the last request was sent.
    """

    def __init__(self, key: SecretStr, endpoint: str, timeout_seconds: float, pace: Pace) -> None:
        super().__init__(timeout=timeout_seconds)
        self.follow_redirects = False
        self._key = key
        scheme = cast("Literal['http', 'https']", endpoint.partition(":")[0])
        connection = httplib2.SCHEME_TO_CONNECTION[scheme]
        self._connection_type = _sending(connection, self._count, pace)
        self.is_sent = False

    def request(self, *args: Any, **kwargs: Any) -> tuple[httplib2.Response, bytes]:
        """Send one request; the arguments are httplib2's, the headers by name."""
        self.is_sent = False
        key = self._key.get_secret_value()
        own = {"x-goog-api-key": key, "accept-encoding": "identity"}
        kwargs["headers"] = {**kwargs["headers"], **own}
        kwargs["connection_type"] = self._connection_type
        try:
            response, content = super().request(*args, **kwargs)
        except (*LOST, *UNREADABLE):
            self.close()  # or the next request would use what is left of this connection
            raise
        return response, content.replace(key.encode(), MASK)

    def _count(self) -> None:
        if self.is_sent:
            raise ConnectionResetError("the connection was closed without an answer")
        self.is_sent = True


def _sending(connection: Any, before: Callable[[], None], pace: Pace) -> type:
    """A paced connection class that calls `before` before it sends a request."""

    class Sending(connection):
        def connect(self) -> None:
            super().connect()
            self.sock: Any = PacedSocket(self.sock, pace)

        def getresponse(self) -> Any:
            response = super().getresponse()
            if response.getheader("content-encoding", "identity") != "identity":
                self.close()
                raise HTTPException("an answer that is packed, which was not asked for")
            return response

        def request(self, *args: Any, **kwargs: Any) -> None:
            before()
            super().request(*args, **kwargs)

    return Sending


def _answer(request: Any) -> object:
    """Send a request; exceptions of the client become a Fault."""
    try:
        return request.execute(num_retries=0)
    except HttpError as error:
        return Fault.of(error.status_code, error.content)
    except LOST as error:
        return Fault(text=f"no answer ({type(error).__name__})", is_transient=True)
    except UNREADABLE as error:
        if is_own_bug(error):
            raise
        return Fault(text=f"unreadable answer ({type(error).__name__})", is_transient=True)


def _parsed(answer: object, kind: type[Page]) -> Page | Fault:
    """Validate an answer; a body that was not JSON arrives as a str."""
    if isinstance(answer, Fault):
        return answer
    try:
        return kind.model_validate(answer)
    except ValidationError:
        return Fault(text="malformed answer", is_transient=True)
