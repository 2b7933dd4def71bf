"""Who shows the progress of stages: a bar in a terminal, lines in the log of a Prefect run."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from system.progress import Progress

logger = logging.getLogger(__name__)
LOG_SECONDS = 15.0


class Reporter(Protocol):
    """Shows what the stages do."""

    def started(self, stage: str, dataset: str) -> None:
        """A stage begins its work."""
        ...

    def say(self, line: str) -> None:
        """Something that is worth a line of its own, such as what a stage waits for."""
        ...

    def update(self, update: Progress) -> None:
        """The stage at work is so far."""
        ...

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """A stage is done; `seconds` is None if it was found done."""
        ...


class LogReporter:
    """Says the beginning, the end, and now and then the progress, in the log."""

    def __init__(self) -> None:
        self._last = 0.0

    def started(self, stage: str, dataset: str) -> None:
        """Log the beginning."""
        self._last = time.monotonic()
        logger.info("%s of %s: begins", stage, dataset)

    def say(self, line: str) -> None:
        """Log the line."""
        logger.info("%s", line)

    def update(self, update: Progress) -> None:
        """Log progress, at most every LOG_SECONDS."""
        now = time.monotonic()
        if now - self._last >= LOG_SECONDS:
            self._last = now
            percent = "" if update.fraction is None else f"{update.fraction:.0%} "
            logger.info("%s%s", percent, update.text)

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """Log the end."""
        verb = "reused" if seconds is None else f"made in {seconds:.1f} s"
        logger.info("%s of %s: %s %s", stage, dataset, key, verb)


_current: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


def current_reporter() -> Reporter | None:
    """The reporter set by `reporting`, None outside of it."""
    return _current.get()


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Let `reporter` show what happens inside."""
    token = _current.set(reporter)
    try:
        yield
    finally:
        _current.reset(token)
