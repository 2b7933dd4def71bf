"""What this process prints and logs: nothing raw from outside, no secret, and no encoding errors.

Libraries log URLs after a redirect (httpx) and header lines (httpcore), and an exception of theirs
repeats what a server sent; so all records and tracebacks are cleaned, not only our own.
"""

import io
import logging
import sys
import traceback
from types import TracebackType
from typing import Any

from system.display import clean


class CleanRecord(logging.LogRecord):
    """A log record whose message and traceback are safe to show and to store."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.exc_info and self.exc_info[0]:
            # Formatters use this instead of formatting the traceback themselves.
            self.exc_text = clean("".join(traceback.format_exception(*self.exc_info)).rstrip())

    def getMessage(self) -> str:  # noqa: N802 - the name in logging
        """The message with its arguments."""
        return clean(super().getMessage())


def clean_output() -> None:
    """Clean all log records and tracebacks of this process from now on."""
    logging.setLogRecordFactory(CleanRecord)
    sys.excepthook = _print_traceback
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that is not UTF-8 shows an escape instead of ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(clean("".join(traceback.format_exception(kind, error, trace))))
