"""Dates and durations: how they are stored, and how they are shown."""

from datetime import UTC, datetime


def now_stamp() -> str:
    """The current local time as it is stored: ISO 8601 to the second, with its UTC offset."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def minute(stamp: str) -> str:
    """Show a stored time to the minute: "2026-11-22 17:01"."""
    return f"{stamp[:10]} {stamp[11:16]}"


def moment(stamp: str) -> str:
    """Show a stored time to the minute, with its UTC offset: "2026-11-22 17:01 +00:00"."""
    return f"{minute(stamp)} {stamp[19:]}".strip()


def duration(seconds: float) -> str:
    """Show a duration: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
