"""The least speed at which a server must answer.

The timeouts of the HTTP clients are for each wait for data, so a server that sends a byte every
half second, be it in its headers, can hold them for hours (encode/httpx#1450). Here the time that
is spent waiting is added up, and so is what arrived in it. The wait for the first byte of an answer
does not count: it has the client's own timeout.
"""

import io
import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corpora.sources.http import TIMEOUT_SECONDS


class PaceError(TimeoutError):
    """An answer is too slow, or too large; a timeout, for the HTTP clients to handle as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slow and how large an answer may be.

    Attributes:
        seconds: of waiting, after which the speed is checked each time.
        bytes_per_second: the lowest average speed over that time.
        max_bytes: of one answer, with its headers and framing.
        max_seconds: of waiting for one answer. Without it, a server that sends a little more than
            the least speed holds an answer of 64 MB for a week.
    """

    seconds: float = TIMEOUT_SECONDS
    bytes_per_second: float = 100
    max_bytes: int = 64_000_000
    max_seconds: float = 600


PACE = Pace()
"""For answers that are read into memory; GitHub's and YouTube's pages have less than a megabyte."""


class Meter:
    """Measures the answers on one connection."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.restart()

    def allow(self, max_bytes: int) -> None:
        """Let the present answer, with its headers and framing, take any time, up to this size."""
        self._max_bytes = max_bytes
        self._left = math.inf

    def restart(self) -> None:
        """Begin with a new answer."""
        self._total = self._recent = 0
        self._waited = 0.0
        self._max_bytes = self._pace.max_bytes
        self._left = self._pace.max_seconds

    def count(self, receive: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """Call `receive`, and check the answer so far.

        Raises:
            PaceError: if it is too slow or too large.
        """
        began = time.monotonic()
        received = receive()
        if self._total:
            waited = time.monotonic() - began
            self._waited += waited
            self._left -= waited
        self._total += size(received)
        self._recent += size(received)
        self._check()
        return received

    def _check(self) -> None:
        pace = self._pace
        if self._total > self._max_bytes:
            raise PaceError(f"an answer of more than {self._max_bytes:,} bytes")
        if self._left < 0:
            raise PaceError(f"too slow: no whole answer in {pace.max_seconds:.0f} s of waiting")
        if self._waited >= pace.seconds:
            if self._recent < pace.bytes_per_second * self._waited:
                raise PaceError(
                    f"too slow: {self._recent:,} bytes in {self._waited:.0f} s of waiting"
                )
            self._recent, self._waited = 0, 0.0


class PacedSocket:
    """A connected socket, plain or TLS, as http.client uses it."""

    def __init__(self, connected: socket.socket, pace: Pace) -> None:
        self._socket = connected
        self._meter = Meter(pace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: Any) -> None:
        """Send a part of a request; what arrives afterwards is a new answer."""
        self._meter.restart()
        self._socket.sendall(data)

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """Open for reading an answer."""
        assert mode == "rb"
        return io.BufferedReader(_PacedFile(self._socket.makefile("rb", buffering=0), self._meter))


class _PacedFile(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, meter: Meter) -> None:
        self._raw = raw
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._meter.count(lambda: self._raw.readinto(buffer), lambda got: got or 0)

    def close(self) -> None:
        self._raw.close()
        super().close()
