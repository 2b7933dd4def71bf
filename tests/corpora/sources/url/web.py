"""A web server on this machine, with the faults of real ones."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal


@dataclass
class Site:
    """Files by path; each GET consumes one of `faults`: a status, or "cut" for half the answer."""

    files: dict[str, bytes]
    faults: list = field(default_factory=list)
    headers: dict[str, str | None] = field(default_factory=dict)
    validator: Literal["etag", "weak", "date", "none"] = "etag"
    head_status: int = 200
    requests: list = field(default_factory=list)
    url: str = ""

    def methods(self):
        return [method for method, _, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_HEAD(self):
        self.answer(head=True)

    def do_GET(self):
        self.answer(head=False)

    def answer(self, *, head):
        site = self.site
        site.requests.append((self.command, self.path, dict(self.headers)))
        content = site.files.get(self.path)
        fault = site.faults.pop(0) if site.faults and not head else None
        if isinstance(fault, int):
            self.reply(fault, b"", {"Retry-After": "0"})
        elif content is None:
            self.reply(404, b"", {})
        elif head:
            self.reply(site.head_status, content, self.version(content), body=False)
        else:
            self.give(content, cut=fault == "cut")

    def version(self, content):
        digest = hashlib.sha256(content).hexdigest()
        headers = {
            "etag": {"ETag": f'"{digest[:8]}"'},
            "weak": {"ETag": f'W/"{digest[:8]}"'},
            "date": {"Last-Modified": formatdate(int(digest[:7], 16), usegmt=True)},
            "none": {},
        }
        return headers[self.site.validator]

    def give(self, content, *, cut):
        version = self.version(content) | self.site.headers
        asked = self.headers.get("Range")
        if not asked or self.headers.get("If-Range", "") not in ("", *version.values()):
            self.reply(200, content, version, cut=cut)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            self.reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.reply(206, content[start:], version | {"Content-Range": span}, cut=cut)

    def reply(self, status, content, headers, *, body=True, cut=False):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if cut else content)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server for `handler`; yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def site_of(files: dict[str, bytes]) -> Iterator[Site]:
    """Serve `files`."""
    site = Site(files)
    with serving(type("Bound", (Handler,), {"site": site})) as site.url:
        yield site
