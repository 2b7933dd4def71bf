"""An HTTP client that a slow server cannot hold."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from corpora.errors import SourceError
from corpora.sources.http import TIMEOUT_SECONDS, USER_AGENT
from corpora.sources.pacing import Meter, Pace, PaceError

# Compressed in transit, a file would have a different ETag, offsets and digest.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT}


METER = "meter"
HEAD_PACE = Pace(max_bytes=200_000, max_seconds=60)
"""For headers, of which h11 takes 100 kB, and for any number of interim answers before them."""


def http_client(timeout_seconds: float = TIMEOUT_SECONDS, pace: Pace = HEAD_PACE) -> httpx.Client:
    """A client with timeouts that honours the user's proxy settings.

    Its answers have at most 200 kB, headers and framing included, and 60 s of waiting, until
    `allow_body` is called.

    Raises:
        SourceError: if the proxy settings cannot be used; does not repeat their password.
    """
    try:
        client = httpx.Client(timeout=timeout_seconds, headers=HEADERS)
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        # The only input of the constructor that can be wrong is the environment.
        reason = error if isinstance(error, ImportError) else "not a proxy's URL"
        raise SourceError(f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: {reason}") from None
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # httpx has no argument for what httpcore's pools take as one.
            pool = transport._pool
            pool._network_backend = _PacedBackend(pool._network_backend, pace)
    return client


def allow_body(response: httpx.Response, max_bytes: int) -> None:
    """Let the rest of an answer have at most `max_bytes`, however it is framed."""
    meter: Meter = response.extensions["network_stream"].get_extra_info(METER)
    meter.allow(2 * max_bytes + 1_000_000)


class _PacedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend, pace: Pace) -> None:
        self._backend = backend
        self._pace = pace

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _PacedStream(stream, self._pace)


class _PacedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, pace: Pace) -> None:
        self._stream = stream
        self._pace = pace
        self._meter = Meter(pace)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._meter.count(lambda: self._stream.read(max_bytes, timeout), len)
        except PaceError as error:
            raise httpcore.ReadTimeout(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._meter.restart()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _PacedStream(stream, self._pace)

    def get_extra_info(self, info: str) -> Any:
        return self._meter if info == METER else self._stream.get_extra_info(info)
