"""Git servers on this machine: git://, http://, a slow one, and a silent one."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

from tests.corpora.sources.url.web import serving


class Daemon(BaseRequestHandler):
    """`git daemon` for one connection; its answer is sent in pieces, with pauses."""

    root: Path
    piece: int = 2**16
    pause: float = 0.0
    free: int = 0

    def handle(self):
        command = ["git", "daemon", "--inetd", "--export-all", f"--base-path={self.root}"]
        process = subprocess.Popen(
            command, stdin=self.request.fileno(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            with process:
                self._pass_on(process.stdout)
        except OSError:
            process.kill()

    def _pass_on(self, stream):
        sent = 0
        while piece := stream.read1(self.piece):
            self.request.sendall(piece)
            sent += len(piece)
            if sent > self.free:
                time.sleep(self.pause)
        self.request.shutdown(socket.SHUT_WR)


class Silent(BaseRequestHandler):
    """Accepts a connection, and sends nothing until the client closes it."""

    def handle(self):
        while self.request.recv(2**16):
            pass


@contextmanager
def git_daemon(handler: type[BaseRequestHandler], **attributes) -> Iterator[str]:
    """Serve on a free port; yields "host:port"."""
    bound = type("Bound", (handler,), attributes)
    with ThreadingTCPServer(("127.0.0.1", 0), bound) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class Backend(BaseHTTPRequestHandler):
    """`git http-backend`, as a web server calls it."""

    root: Path

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body):
        parts = urlsplit(self.path)
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            env=os.environ | variables,
            input=body,
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().splitlines()]
        headers = dict(lines)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def http_backend(root: Path) -> Iterator[str]:
    """Serve the repositories under `root`; yields the URL of the root."""
    with serving(type("Bound", (Backend,), {"root": root})) as url:
        yield url


class Files(SimpleHTTPRequestHandler):
    """A web server that knows nothing of git."""

    root: Path

    def __init__(self, *args):
        super().__init__(*args, directory=str(self.root))

    def log_message(self, format, *args):  # noqa: A002
        pass


@contextmanager
def file_server(root: Path) -> Iterator[str]:
    """Serve the files under `root`; yields the URL of the root."""
    with serving(type("Bound", (Files,), {"root": root})) as url:
        yield url
