"""A fake YouTube Data API: pages, tokens, quota and errors like those of the real one.

It counts requests and their cost, refuses what the real API refuses, and fails where a test plans
it.
"""

import json
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "AIzaSy-planted-key-0123456789"
RESET = -1
Reply = tuple[int, bytes]


def error(status: int, reason: str, message: str = "No.") -> Reply:
    """An error in Google's format; it quotes the key, as some of Google's do."""
    said = f"{message} (consumer 'api_key:{KEY}')"
    detail = {"message": said, "domain": "youtube", "reason": reason}
    body = {"error": {"code": status, "message": said, "errors": [detail]}}
    return status, json.dumps(body).encode()


def thread(name: str, text: str, author: str = "UC-somebody", **snippet: Any) -> dict[str, Any]:
    """A comment thread."""
    top = {
        "textDisplay": text,
        "textOriginal": text,
        "authorDisplayName": f"@{author}",
        "authorChannelId": {"value": author},
        "publishedAt": "2026-01-02T03:04:05Z",
        "likeCount": 3,
    } | snippet
    return {
        "kind": "youtube#commentThread",
        "id": name,
        "snippet": {"topLevelComment": {"id": name, "snippet": top}, "totalReplyCount": 0},
    }


def video_ids(count: int, start: int = 0) -> list[str]:
    """Distinct ids in YouTube's form."""
    return [f"v-{number:09d}" for number in range(start, start + count)]


@dataclass
class YoutubeServer:
    """The contents of the server, and the requests it received.

    Attributes:
        search: the video ids of every page.
        search_tokens: the token that page n names as the next one, where it is not the usual.
        threads: comment threads by video; a str instead is the reason of a refusal.
        plan: reply to the request of this number (from 0) in place of the real one; None hangs up,
            the status RESET sends half of what it announced, and resets the connection.
        meanwhile: called before the request of this number is answered.
        limits: requests in a day by bucket.
        spent: by (day, bucket), as the server counts it.
        log: (resource, parameters) of every request.
    """

    search: Sequence[Sequence[str]] = ()
    search_tokens: dict[int, str] = field(default_factory=dict)
    threads: dict[str, list[dict[str, Any]] | str] = field(default_factory=dict)
    plan: dict[int, Reply | None] = field(default_factory=dict)
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=lambda: {"search": 100, "other": 10_000})
    day: int = 0
    spent: Counter[tuple[int, str]] = field(default_factory=Counter)
    log: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def reply(self, resource: str, asked: dict[str, str]) -> Reply | None:
        """Answer one request."""
        number = len(self.log)
        self.log.append((resource, asked))
        self.meanwhile.get(number, lambda: None)()
        bucket = "search" if resource == "search" else "other"
        if self.spent[self.day, bucket] >= self.limits[bucket]:
            return error(403, "quotaExceeded", "You have exceeded your quota.")
        self.spent[self.day, bucket] += 1
        if number in self.plan:
            return self.plan[number]
        answer: Callable[[dict[str, str]], Reply] = {
            "search": self._search,
            "commentThreads": self._comments,
        }[resource]
        return answer(asked)

    def asked(self, resource: str) -> list[tuple[str, str]]:
        """(video id, page token) of every request to a resource, in order."""
        return [
            (q.get("videoId", ""), q.get("pageToken", "")) for r, q in self.log if r == resource
        ]

    def _search(self, asked: dict[str, str]) -> Reply:
        if asked.get("type") != "video" or int(asked["maxResults"]) != 50 or not asked.get("q"):
            return error(400, "invalidParameter")
        page = int(asked.get("pageToken", "S0").removeprefix("S"))
        items = [{"id": {"kind": "youtube#video", "videoId": name}} for name in self.search[page]]
        after = f"S{page + 1}" if page + 1 < len(self.search) else None
        return _page(items, self.search_tokens.get(page, after))

    def _comments(self, asked: dict[str, str]) -> Reply:
        if asked.get("textFormat") != "plainText" or int(asked["maxResults"]) != 100:
            return error(400, "invalidParameter")
        threads = self.threads.get(asked["videoId"], [])
        if isinstance(threads, str):
            return error(404 if threads == "videoNotFound" else 403, threads)
        start = int(asked.get("pageToken", "C0").removeprefix("C"))
        after = f"C{start + 100}" if start + 100 < len(threads) else None
        return _page(threads[start : start + 100], after)


def _page(items: list[dict[str, Any]], token: str | None) -> Reply:
    body: dict[str, Any] = {"items": items, "pageInfo": {"totalResults": 1_000_000}}
    return 200, json.dumps(body | ({"nextPageToken": token} if token else {})).encode()


@contextmanager
def running(server: YoutubeServer):
    """Serve on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = (
            -1
        )  # send headers and body in one packet; otherwise the client's kernel waits for both

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            reply = server.reply(parts.path.removeprefix("/youtube/v3/"), asked)
            if "key" in asked or self.headers.get("x-goog-api-key") != KEY:
                reply = error(400, "keyInvalid", "API key not valid.")
            self._send(reply)

        def _send(self, reply: Reply | None) -> None:
            if reply is None:
                self.close_connection = True
                return
            status, body = reply
            length = len(body) * (2 if status == RESET else 1)
            self.send_response(200 if status == RESET else status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)
            if status == RESET:
                self._reset()

        def _reset(self) -> None:
            """Close abruptly: with a linger time of 0 the kernel sends a reset."""
            self.wfile.flush()
            no_time = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
            os.close(self.connection.detach())
            self.close_connection = True

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        worker = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        worker.start()
        server.url = f"http://127.0.0.1:{http.server_port}/"
        try:
            yield server
        finally:
            http.shutdown()
            worker.join()
