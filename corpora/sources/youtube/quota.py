"""YouTube's daily quota as a ledger on disk: one per key, shared by all who use the key.

Every request is recorded before it is sent, so after a kill the ledger may count one request too
many, never one too few. It is read, changed and replaced under a lock, so processes that share a
key share its quota. The day is the server's: it begins at midnight Pacific time.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from filelock import FileLock
from pydantic import SecretStr

from corpora.errors import SourceError
from corpora.sources.youtube.credentials import read_key
from corpora.sources.youtube.privacy import load_salt, pseudonym
from system.files import write_whole
from system.settings import Settings, variable

Bucket = Literal["search", "other"]
UNITS: dict[Bucket, str] = {"search": "search calls", "other": "units"}
GRANTED: dict[Bucket, int] = {"search": 100, "other": 10_000}
"""What Google grants a key in a day, since June 2026; each request costs 1 of its bucket."""
PACIFIC = ZoneInfo("America/Los_Angeles")
STATE = variable("state")
DAYS_KEPT = 31


class QuotaError(SourceError):
    """Today's quota is spent.

    Attributes:
        resumes: when the server grants a new one.
    """

    def __init__(self, message: str, resumes: datetime) -> None:
        super().__init__(message)
        self.resumes = resumes

    def __reduce__(self) -> tuple[type[Self], tuple[str, datetime]]:
        """Pickles, so that it can be raised in another process."""
        return type(self), (str(self), self.resumes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One bucket of the ledger today.

    Attributes:
        refused: whether the server has said today that nothing is left, whatever `left` is.
    """

    spent: int
    left: int
    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyQuota:
    """Today's quota of one key.

    Attributes:
        balances: by unit, such as "search calls".
        resets: when the server grants a new quota.
    """

    balances: Mapping[str, Balance]
    resets: datetime


class Quota:
    """What a key has spent each day, and what remains for today.

    Args:
        limits: requests allowed in a day: pages of `search.list`, and all others.
        now: returns the time, with its zone.
    """

    def __init__(
        self, path: Path, limits: Mapping[Bucket, int], now: Callable[[], datetime]
    ) -> None:
        self._path = path
        self._limits = limits
        self._now = now

    @classmethod
    def of_key(
        cls,
        key: SecretStr,
        folder: Path,
        limits: Mapping[Bucket, int],
        now: Callable[[], datetime],
    ) -> Self:
        """The ledger of a key, named by a salted digest that does not reveal the key.

        Raises:
            SourceError: if `folder` cannot be written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(folder / "salt.lock", mode=0o600):
                salt = load_salt(folder)
        except OSError as error:
            raise SourceError(f"{folder}: {error.strerror}; set {STATE} to a folder") from None
        name = pseudonym(salt, key.get_secret_value())
        return cls(folder / f"youtube-quota-{name}.json", limits, now)

    @property
    def resets(self) -> datetime:
        """When the server grants a new quota."""
        return _end_of(self._today())

    def balance(self, bucket: Bucket) -> Balance:
        """What was spent today, and what is left."""
        today = _entry(self._read(), self._today())
        spent, refused = today[bucket], bucket in today["refused"]
        left = 0 if refused else max(0, self._limits[bucket] - spent)
        return Balance(spent=spent, left=left, refused=refused)

    def spend(self, bucket: Bucket) -> date:
        """Record a request that is about to be sent, and return the day it is charged to.

        Raises:
            QuotaError: if it would exceed the limit, or the server refused one today.
        """
        day = self._today()
        with self._days() as days:
            today = _entry(days, day)
            if today[bucket] >= self._limits[bucket] or bucket in today["refused"]:
                raise self._error(bucket, day, today)
            today[bucket] += 1
        return day

    def give_back(self, bucket: Bucket, day: date) -> None:
        """Remove a request from `day`: it was never sent."""
        with self._days() as days:
            _entry(days, day)[bucket] -= 1

    def refused(self, bucket: Bucket, day: date) -> QuotaError:
        """Record that the server refused a request of `day`, and return the error to raise.

        The request cost nothing, and no other will succeed that day, whatever remains here.
        """
        with self._days() as days:
            entry = _entry(days, day)
            entry[bucket] -= 1
            entry["refused"] = sorted({*entry["refused"], bucket})
        return self._error(bucket, day, entry)

    def _today(self) -> date:
        return self._now().astimezone(PACIFIC).date()

    @contextmanager
    def _days(self) -> Iterator[dict[str, Any]]:
        """The ledger for changes in the block; nothing is written if it raises."""
        with FileLock(self._path.with_suffix(".lock"), mode=0o600):
            days = self._read()
            yield days
            newest = dict(sorted(days.items())[-DAYS_KEPT:])
            write_whole(self._path, json.dumps(newest, indent=1).encode(), mode=0o600)

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError:
            raise SourceError(f"{self._path}: not a quota ledger; delete it") from None

    def _error(self, bucket: Bucket, day: date, entry: Mapping[str, Any]) -> QuotaError:
        spent = f"{entry[bucket]:,} of {self._limits[bucket]:,} {UNITS[bucket]}"
        why = ", refused by the server" if bucket in entry["refused"] else ""
        resumes = _end_of(day)
        return QuotaError(
            f"YouTube: today's quota is spent ({spent}{why}); run again after "
            f"{resumes:%Y-%m-%d %H:%M} UTC to resume",
            resumes,
        )


def read_quota(settings: Settings, now: datetime) -> KeyQuota:
    """Read today's quota of the user's key, as this machine has counted it.

    Raises:
        SourceError: without a usable key, or if the ledger cannot be read.
    """
    quota = Quota.of_key(read_key(settings), settings.state_folder, GRANTED, lambda: now)
    balances = {UNITS[bucket]: quota.balance(bucket) for bucket in GRANTED}
    return KeyQuota(balances=balances, resets=quota.resets)


def _entry(days: dict[str, Any], day: date) -> dict[str, Any]:
    return days.setdefault(day.isoformat(), {"search": 0, "other": 0, "refused": []})


def _end_of(day: date) -> datetime:
    """Midnight Pacific time at the end of `day`, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), PACIFIC).astimezone(UTC)
