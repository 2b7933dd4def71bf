"""YouTube's daily quota as a ledger on disk.

Every request is written down before it is sent, so a kill can make the ledger count one request
too many, never one too few. The day is the server's: it begins at midnight Pacific time.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from corpora.errors import SourceError
from corpora.sources.whole_file import write_whole

Bucket = Literal["search", "other"]
UNITS: dict[Bucket, str] = {"search": "search calls", "other": "units"}
PACIFIC = "America/Los_Angeles"
LEDGER = "quota.json"


class QuotaError(SourceError):
    """The quota of today is spent.

    Attributes:
        resumes: when the server gives a new one.
    """

    def __init__(self, message: str, resumes: datetime) -> None:
        super().__init__(message)
        self.resumes = resumes


class Quota:
    """What was spent on each day, and what may still be spent today.

    Args:
        limits: requests that may be sent in a day. Each costs 1: a page of `search.list` one of
            its own bucket, a page of `commentThreads.list` one unit of the other.
        now: gives the time, with its zone.
    """

    def __init__(
        self, directory: Path, limits: Mapping[Bucket, int], now: Callable[[], datetime]
    ) -> None:
        self._path = directory / LEDGER
        self._limits = limits
        self._now = now
        self._days: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._days = json.loads(self._path.read_text(encoding="utf-8"))

    def spent(self, bucket: Bucket) -> int:
        """Requests of today."""
        return self._today()[bucket]

    def spend(self, bucket: Bucket) -> None:
        """Write down a request that is about to be sent.

        Raises:
            QuotaError: if it would exceed the limit, or the server refused one today.
        """
        today = self._today()
        if today[bucket] >= self._limits[bucket] or bucket in today["refused"]:
            raise self._error(bucket)
        today[bucket] += 1
        self._save()

    def give_back(self, bucket: Bucket) -> None:
        """Strike out the last request: it was never sent."""
        self._today()[bucket] -= 1
        self._save()

    def refused(self, bucket: Bucket) -> QuotaError:
        """Write down that the server refused the last request, and give the error to raise.

        The request cost nothing, and no other will be answered today, whatever is left here.
        """
        today = self._today()
        today[bucket] -= 1
        today["refused"] = sorted({*today["refused"], bucket})
        self._save()
        return self._error(bucket)

    def _today(self) -> dict[str, Any]:
        day = self._now().astimezone(ZoneInfo(PACIFIC)).date().isoformat()
        return self._days.setdefault(day, {"search": 0, "other": 0, "refused": []})

    def _save(self) -> None:
        write_whole(self._path, json.dumps(self._days, indent=1).encode())

    def _error(self, bucket: Bucket) -> QuotaError:
        today = self._today()
        spent = f"{today[bucket]:,} of {self._limits[bucket]:,} {UNITS[bucket]}"
        why = ", refused by the server" if bucket in today["refused"] else ""
        resumes = next_day(self._now())
        return QuotaError(
            f"YouTube: today's quota is spent ({spent}{why}); run again after "
            f"{resumes:%Y-%m-%d %H:%M} UTC and it goes on from here",
            resumes,
        )


def next_day(now: datetime) -> datetime:
    """The next midnight of Pacific time, in UTC."""
    zone = ZoneInfo(PACIFIC)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)
