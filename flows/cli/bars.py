"""Progress of long work on a terminal.

Progress goes to stderr. If that is not a terminal, a line every few seconds replaces the bars.
"""

import logging
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from flows.console import err
from flows.progress import driven
from system.clock import duration
from system.progress import Progress

LINE_SECONDS = 10.0
Item = TypeVar("Item")


class TerminalReporter:
    """Shows the stages of one run as progress bars."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.fields[stage]:<8}", style="bold"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=err,
            disable=not err.is_terminal,
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._line_due = 0.0

    def started(self, stage: str, dataset: str) -> None:
        """Start a bar."""
        self._stage = stage
        self._line_due = time.monotonic() + LINE_SECONDS
        self._bars.start()
        self._task = self._bars.add_task(dataset, total=1.0, stage=stage)
        self._log(f"started, dataset {dataset}")

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        err.print(line, markup=False)

    def update(self, update: Progress) -> None:
        """Move the bar."""
        text = escape(update.text)
        if self._task is not None:
            self._bars.update(self._task, completed=update.fraction or 0.0, description=text)
        if time.monotonic() >= self._line_due:
            self._line_due = time.monotonic() + LINE_SECONDS
            percent = "" if update.fraction is None else f"{update.fraction:>4.0%}  "
            self._log(f"{percent}{text}")

    def finished(self, stage: str, dataset: str, *, key: str, seconds: float | None) -> None:
        """Complete the bar."""
        verb = "finished by another process" if seconds is None else f"done in {duration(seconds)}"
        if self._task is not None:
            self._bars.update(self._task, completed=1.0, description=verb)
            self._bars.stop_task(self._task)
        self._task = None
        self._bars.stop()
        self._log(verb)

    def close(self) -> None:
        """Restore the terminal."""
        self._bars.stop()

    def _log(self, text: str) -> None:
        if not err.is_terminal:
            err.print(f"{self._stage:<8} {text}")


class _Warnings(logging.Handler):
    """Prints warnings above the bars."""

    def __init__(self, reporter: TerminalReporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        self._reporter.say(record.getMessage())


@contextmanager
def showing_warnings(reporter: TerminalReporter, loggers: Iterable[str]) -> Iterator[None]:
    """Print the warnings of these loggers, which Prefect sends only to its server."""
    handler = _Warnings(reporter)
    for name in loggers:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeHandler(handler)


def reported(name: str, what: str, work: Generator[Progress, None, Item]) -> Item:
    """Do long work with a progress bar; returns its result."""
    reporter = TerminalReporter()
    try:
        return driven(work, reporter, name, what)
    finally:
        reporter.close()


def tracked(items: Iterable[Item], total: int) -> Iterator[Item]:
    """Yield the items, counting them in a progress bar."""
    due = time.monotonic() + LINE_SECONDS
    with Bars(console=err, transient=True, disable=not err.is_terminal) as bars:
        for done, item in enumerate(bars.track(items, total=total, description="scoring"), start=1):
            yield item
            if not err.is_terminal and time.monotonic() >= due:
                due = time.monotonic() + LINE_SECONDS
                err.print(f"scored {done:,} of {total:,}")
