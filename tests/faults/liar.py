"""A web server that lies: a plain socket server whose answers are bytes, sent as a fault wants."""

import contextlib
import hashlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

DRIP_SECONDS = 0.05
STALL_SECONDS = 30.0
"""Longer than any client in these tests waits."""


@dataclass
class Liar:
    """The file at every path, and what is done instead of serving it.

    Attributes:
        fault: answers a request; None serves the file.
        lies: how many GET requests the fault answers; the next ones get the file.
    """

    content: bytes
    fault: "Callable[[Request], None] | None" = None
    lies: int = 1
    asked: int = 0
    url: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def etag(self) -> str:
        """The version of the file."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'


@dataclass
class Request:
    """One request, and the means to answer it."""

    liar: Liar
    connection: socket.socket
    method: str
    path: str
    start: int | None

    def send(self, data: bytes) -> None:
        """Send at once."""
        self.connection.sendall(data)

    def drip(self, data: bytes, piece: int = 1) -> None:
        """Send in pieces, with a pause after each."""
        for place in range(0, len(data), piece):
            self.send(data[place : place + piece])
            if self.liar.stopped.wait(DRIP_SECONDS):
                return

    def stall(self) -> None:
        """Send nothing, but stay connected."""
        self.liar.stopped.wait(STALL_SECONDS)

    def head(self, status: str = "200 OK", **headers: object) -> bytes:
        """The head of an answer, as bytes; underscores in names become hyphens."""
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def forever(self, data: bytes) -> None:
        """Send again and again, as fast as it is taken."""
        with contextlib.suppress(OSError):
            while not self.liar.stopped.is_set():
                self.send(data)

    def honest(self) -> None:
        """Serve the file, or the rest of it."""
        content, etag = self.liar.content, self.liar.etag
        if self.start is None or self.method == "HEAD":
            self.send(self.head(Content_Length=len(content), ETag=etag))
            body = content
        elif self.start >= len(content):
            span = f"bytes */{len(content)}"
            self.send(self.head("416 Range Not Satisfiable", Content_Range=span, Content_Length=0))
            return
        else:
            body = content[self.start :]
            span = f"bytes {self.start}-{len(content) - 1}/{len(content)}"
            fields = {"Content_Range": span, "Content_Length": len(body), "ETag": etag}
            self.send(self.head("206 Partial Content", **fields))
        if self.method != "HEAD":
            self.send(body)


class _Handler(BaseRequestHandler):
    liar: Liar

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for _ in itertools.takewhile(bool, map(self._answer, itertools.count())):
                pass

    def _answer(self, _number: int) -> bool:
        """Answer the next request of the connection; False if it ends here."""
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := self.request.recv(2**16)):
                return False
            head += piece
        method, path = head.split(b" ", 2)[:2]
        # A condition that does not hold is served whole.
        condition = re.search(rb"(?i)\r\nif-range: (.*)\r\n", head)
        wanted = re.search(rb"(?i)\r\nrange: bytes=(\d+)-", head)
        if condition and condition[1].decode() != self.liar.etag:
            wanted = None
        start = int(wanted[1]) if wanted else None
        request = Request(self.liar, self.request, method.decode(), path.decode(), start)
        lies = self.liar.fault is not None and method != b"HEAD"
        if lies:
            self.liar.asked += 1
        if lies and self.liar.asked <= self.liar.lies:
            assert self.liar.fault is not None
            self.liar.fault(request)
            return False
        request.honest()
        return True


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def handle_error(self, *_: object) -> None:
        """A client that gave up is no error."""


@contextmanager
def lying(content: bytes) -> Iterator[Liar]:
    """Serve `content`, truthfully at first."""
    liar = Liar(content)
    with _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"liar": liar})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        liar.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield liar
        finally:
            liar.stopped.set()
            server.shutdown()
            thread.join()


def seconds_of(action: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began
