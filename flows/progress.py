"""Reporters of the progress of stages: a bar in a terminal, lines in the log of a Prefect run."""

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
    """Shows the progress of stages."""

    def started(self, stage: str, dataset: str) -> None:
        """A stage starts."""
        ...

    def say(self, line: str) -> None:
        """A message, such as what a stage waits for."""
        ...

    def update(self, update: Progress) -> None:
        """Progress of the current stage."""
        ...

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """A stage is finished; `seconds` is None if an earlier run was reused."""
        ...


class LogReporter:
    """Logs the start, the end, and at intervals the progress."""

    def __init__(self) -> None:
        self._last = 0.0

    def started(self, stage: str, dataset: str) -> None:
        """Log the start."""
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
    """The reporter set by `reporting`, None outside of its block."""
    return _current.get()


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Make `reporter` the current one for the block."""
    token = _current.set(reporter)
    try:
        yield
    finally:
        _current.reset(token)
