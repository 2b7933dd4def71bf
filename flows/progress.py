"""How the progress of stages is reported; the default reporter writes log lines."""

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from system.clock import duration
from system.progress import Progress

logger = logging.getLogger(__name__)
LOG_SECONDS = 15.0
Item = TypeVar("Item")


class Reporter(Protocol):
    """Shows the progress of stages."""

    def started(self, stage: str, dataset: str) -> None:
        """A stage starts."""
        ...

    def say(self, line: str) -> None:
        """A message, such as what a stage is waiting for."""
        ...

    def update(self, update: Progress) -> None:
        """Progress of the current stage."""
        ...

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """A stage finished; `seconds` is None if an earlier run was reused."""
        ...


class LogReporter:
    """Logs start and end, and progress at intervals."""

    def __init__(self) -> None:
        self._last = 0.0

    def started(self, stage: str, dataset: str) -> None:
        """Log the start."""
        self._last = time.monotonic()
        logger.info("%s of %s: started", stage, dataset)

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
        verb = "reused" if seconds is None else f"finished in {duration(seconds)}"
        logger.info("%s of %s: %s %s", stage, dataset, key, verb)


def driven(work: Generator[Progress, None, Item], reporter: Reporter, name: str, what: str) -> Item:
    """Do work that is no stage, such as verifying, and report its progress; returns its result."""
    reporter.started(name, what)
    while True:
        try:
            reporter.update(next(work))
        except StopIteration as end:
            return end.value


_current: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


def current_reporter() -> Reporter | None:
    """The reporter set by `reporting`; None outside its block."""
    return _current.get()


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Make `reporter` the current one for the block."""
    token = _current.set(reporter)
    try:
        yield
    finally:
        _current.reset(token)
