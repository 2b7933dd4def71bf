"""Damaged answers of servers and programs: HTTP heads, git's listings, the API's JSON."""

import json
import os
import tempfile
from pathlib import Path
from random import Random

from corpora.sources.git.fetch import find_commit
from corpora.sources.git.progress import FetchProgress
from corpora.sources.git.repository import Repository
from corpora.sources.git.snapshot import GitSnapshot
from corpora.sources.url.source import UrlSource
from corpora.sources.youtube.api import _parsed
from corpora.sources.youtube.responses import CommentPage, SearchPage
from corpora.sources.youtube.responses import Fault as Refusal
from tests.faults.fuzzing import INPUTS, bounded
from tests.faults.liar import Request, lying
from tests.faults.mutation import mutated, mutated_json
from tests.faults.servers import _THREAD, _configure
from tests.faults.servers_of_apis import COMMENTS, COMMIT
from tests.faults.table import Fault, LostError

BLOB = "257cc5642cb1a054f08cc83f2d943e56fd3ebe99"
"""Of the content `foo` and a newline."""
LISTING = b"".join(
    b"%s blob %s %7d\t%s\0" % (mode, BLOB.encode(), 4, name)
    for mode, name in ((b"100644", b"a.py"), (b"120000", b"link"), (b"100755", b"b/c.sh"))
)
OBJECTS = b"%s blob 4\nfoo\n\n" % BLOB.encode() * 2
REFERENCES = b"%s\tHEAD\n%s\trefs/heads/main\n" % (COMMIT.encode(), COMMIT.encode())
HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b'ETag: "ETAG"\r\nLast-Modified: Sat, 28 Nov 2026 10:00:00 GMT\r\nContent-Length: LENGTH\r\n'
    b"Retry-After: 5\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: identity\r\n"
    b"Content-Encoding: identity\r\nLocation: /b.txt\r\nConnection: close\r\n\r\n"
)
PROGRESS = (
    b"remote: Counting objects:  50% (1/2)\r\nReceiving objects: 100% (10/10), 1.20 MiB | "
    b"3.40 MiB/s, done.\r\nResolving deltas: 100% (3/3), done.\n"
)


def _heads(random: Random) -> int:
    """Damaged heads of answers to a download; `servers.py` checks what passes for whole."""
    _configure()
    content = b"A book.\n" * 200
    with lying(content) as liar:
        for _ in range(INPUTS // 5):
            status = random.choice(
                (b"200 OK", b"206 P", b"302 F", b"416 R", b"429 S", b"503 B", b"404 N")
            )
            head = HEAD.replace(b"200 OK", status).replace(b"LENGTH", b"%d" % len(content))
            head = head.replace(b'"ETAG"', liar.etag.encode())
            lines = head.split(b"\r\n")
            kept = [line for line in lines[1:-2] if random.random() < 0.5]
            head = mutated(random, b"\r\n".join([lines[0], *kept, b"", b""]))

            def answer(request: Request, head: bytes = head) -> None:
                request.send(head + request.liar.content)

            liar.fault, liar.lies, liar.asked = answer, 10**9, 0
            source = UrlSource.model_validate({"kind": "url", "urls": [f"{liar.url}/a.txt"]})
            _THREAD.is_lied_to = True
            with tempfile.TemporaryDirectory() as folder, bounded(head):
                for _ in source.fetch({"a.txt": f"etag {liar.etag}"}, Path(folder)):
                    pass
    return INPUTS // 5


def _git_output(random: Random) -> int:
    """A git whose output is damaged: lists of references, trees, contents, progress."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output, program = folder / "output", folder / "git"
        program.write_text(f'#!/bin/sh\ncat > /dev/null < /dev/stdin\ncat "{output}"\n')
        program.chmod(0o755)
        (folder / "thing.git").mkdir()
        repository = Repository(url="https://a.example/thing")
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}:{path}"
        try:
            for _ in range(INPUTS // 5):
                _list(random, output, folder, repository)
        finally:
            os.environ["PATH"] = path
    return INPUTS // 5


def _list(random: Random, output: Path, folder: Path, repository: Repository) -> None:
    snapshot = GitSnapshot(folder, (repository,))
    output.write_bytes(mutated(random, REFERENCES))
    with bounded(output.read_bytes()):
        find_commit(repository)
    output.write_bytes(LISTING)
    entries = [entry for entry in snapshot.entries() if not entry.problem]
    assert len(entries) == 2
    output.write_bytes(mutated(random, LISTING))
    with bounded(output.read_bytes()):
        for entry in snapshot.entries():
            entry.path.encode()
    output.write_bytes(mutated(random, OBJECTS))
    with bounded(output.read_bytes()):
        for _, content in snapshot.read(entries):
            if content not in (b"foo\n", None):
                raise LostError(f"{content!r:.100} passed for the blob")
    progress = FetchProgress("thing")
    for line in mutated(random, PROGRESS).decode("utf-8", "replace").splitlines():
        with bounded(line):
            progress.parse(line)


def _pages(random: Random) -> int:
    """Damaged pages of YouTube's API, and refusals."""
    content = json.dumps(COMMENTS).encode()
    refusal = json.dumps(
        {
            "error": {
                "message": "No.",
                "errors": [{"reason": "quotaExceeded"}],
                "details": [{"reason": "x"}],
            }
        }
    ).encode()
    for _ in range(INPUTS):
        damaged = mutated_json(random, content)
        try:
            value = json.loads(damaged)
        except (ValueError, RecursionError):
            value = damaged.decode("utf-8", "replace")
        with bounded(damaged):
            page = _parsed(value, CommentPage)
            if isinstance(page, CommentPage):
                for item in page.items:
                    f"{item.text}{item.name}{item.channel}{item.id}{page.token}".encode()
            _parsed(value, SearchPage)
        damaged = mutated_json(random, refusal)
        with bounded(damaged):
            assert str(Refusal.of(random.choice((400, 403, 429, 500)), damaged))
    return INPUTS


FAULTS = [
    Fault(name="heads of HTTP answers", rounds=60, short_rounds=1, run=_heads),
    Fault(name="output of git", rounds=40, short_rounds=1, run=_git_output),
    Fault(name="pages of YouTube's API", rounds=20, short_rounds=1, run=_pages),
]
