"""A web server that sends slowly, so that a download can be killed: `... slow_web FOLDER`.

Prints its URL, and serves the files of the folder.
"""

import sys
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.corpora.sources.url.web import Handler, Site

PIECE_BYTES = 8192
PAUSE_SECONDS = 0.01


class _Slow:
    """A stream that writes in pieces, with a pause after each."""

    def __init__(self, stream) -> None:
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, content: bytes) -> None:
        for start in range(0, len(content), PIECE_BYTES):
            self._stream.write(content[start : start + PIECE_BYTES])
            time.sleep(PAUSE_SECONDS)


class _SlowHandler(Handler):
    """Sends slowly, and does not mind a client that was killed."""

    def setup(self) -> None:
        super().setup()
        self.wfile = _Slow(self.wfile)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()

    def answer(self, *, head: bool) -> None:
        path = Path(sys.argv[1]) / self.path.lstrip("/")
        files = {self.path: path.read_bytes()} if path.is_file() else {}
        self.site = Site(files)
        super().answer(head=head)


def main() -> None:
    """Serve until killed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _SlowHandler) as server:
        server.daemon_threads = True
        sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
