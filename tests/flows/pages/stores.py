"""A store with reports and corpora as the stages write them, and the server that shows it."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from corpora.corpus.parquet import LEDGER, LEDGER_SCHEMA, RowWriter
from corpora.corpus.summary import CorpusSummary, FunnelStep, Leak, SplitSize
from evaluation.evidence import Evidence
from flows.pages.app import ArtifactIds, Mounted, pages_app
from flows.pages.ui_link import with_link
from flows.server.app import guarded
from flows.server.host_names import host_names
from flows.server.login import Login
from flows.store.manifest import record_files
from flows.store.runs import Store
from system.settings import Settings
from tests.evaluation.report.test_compare import documents, texts
from tests.flows.finished import finish
from tests.flows.reporting.test_reports import MANIFEST, report_json

LOGIN = Login("charmill:secret")
HOST = "127.0.0.1:4200"
BASIC = {"authorization": f"Basic {base64.b64encode(b'charmill:secret').decode()}"}
REPORT = "<!doctype html><title>report</title><script>document.title = 'run'</script><p>A report"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e.py'
ROW = {
    "source": "code",
    "path": "a.py",
    "bytes": 10,
    "handle": "a.py",
    "decision": "kept",
    "reason": None,
    "detail": "",
    "duplicate_of": None,
    "cluster": None,
    "vendored": False,
    "sha256": "0" * 64,
    "license": "MIT",
    "split": "train",
    "encoding": "utf-8",
    "characters": 10,
}
NO_LEAK = Leak(files=0, characters=0)


def dropped(path: str, reason: str = "too large") -> dict[str, object]:
    return {**ROW, "path": path, "handle": path, "decision": "dropped", "reason": reason}


def kept(path: str, **changes: object) -> dict[str, object]:
    return {**ROW, "path": path, "handle": path, **changes}


def add_corpus(store: Store, key: str, rows: Sequence[dict[str, object]], day: int = 1) -> None:
    """A finished corpus with this ledger, and the fetch that it read."""
    fetch = store.runs("fetch", "tiny").run("f1")
    if not fetch.is_finished:
        fetch.folder.mkdir(parents=True)
        source = {"kind": "folder", "path": "/code", "license": "MIT"}
        finish(fetch, parameters={"source": source, "found": {"digest": "1"}})
    run = store.runs("corpus", "tiny").run(key)
    run.folder.mkdir(parents=True)
    with RowWriter(run.folder / LEDGER, LEDGER_SCHEMA) as writer:
        for row in rows:
            writer.write(row, 100)
    CorpusSummary(
        digest="0",
        seen=(len(rows), 1000),
        funnel=(
            FunnelStep(
                reason="too large", files_dropped=1, bytes_dropped=1, files_left=1, bytes_left=1
            ),
        ),
        splits={"train": SplitSize(documents=1, characters=900)},
        licenses={"MIT": 1},
        leak_before=NO_LEAK,
        leak_after=NO_LEAK,
    ).save(run.folder)
    finish(
        run,
        inputs={"fetch": "f1"},
        summary={"splits": {"train": {"documents": 1, "characters": 900}}},
        created=f"2026-11-{day:02}T09:00:00+00:00",
        files=record_files(run.folder),
    )
    run.make_latest()


def add_report(
    store: Store,
    key: str,
    *,
    day: int = 1,
    corpus: str = "c1",
    shift: float = 0.0,
    **summary: object,
) -> Path:
    """A finished evaluation, with all its files."""
    run = store.runs("evaluate", "tiny").run(key)
    run.folder.mkdir(parents=True)
    (run.folder / "report.html").write_text(REPORT)
    (run.folder / "report.json").write_text(report_json(), encoding="utf-8")
    Evidence(documents=documents(20, shift=shift), texts=texts(3)).save(run.folder)
    finish(
        run,
        inputs={"corpus": corpus, "train": "t1"},
        parameters={"preset": "smoke"},
        summary={**MANIFEST.summary, "bits_per_char": 1.5 + shift, **summary},
        created=f"2026-11-{day:02}T10:00:00+00:00",
        files=record_files(run.folder),
    )
    run.make_latest()
    return run.folder


def full_store(settings: Settings) -> Store:
    """Two reports and two corpora, with hostile names."""
    store = Store(settings.artifacts_root)
    add_corpus(store, "c1", [kept("a.py"), kept(HOSTILE), kept("gone.py"), dropped("Big.py")])
    add_report(store, "e1", day=2)
    add_corpus(store, "c2", [kept("a.py", sha256="1" * 64), dropped(HOSTILE), kept("new.py")], 3)
    add_report(store, "e2", day=4, corpus="c2", shift=-0.02, verdict=f"It is {HOSTILE} good.")
    return store


async def no_artifacts(_keys: Sequence[str]) -> dict[str, str]:
    return {}


async def prefect(scope, receive, send) -> None:
    """In place of Prefect's server: its page, and its API."""
    is_page = not scope["path"].startswith("/api")
    body = b"<html><body><div id=app></div></body></html>" if is_page else b"{}"
    kind = b"text/html; charset=utf-8" if is_page else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Client:
    """A program, or a browser, that sends requests to an ASGI app."""

    app: ASGIApp
    headers: Mapping[str, str]

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.request("GET", path, headers)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http:
                return await http.request(method, path, headers={**self.headers, **(headers or {})})

        return asyncio.run(send())


def client(settings: Settings, ids: ArtifactIds = no_artifacts, **headers: str) -> Client:
    """A program with the login, or what `headers` say, in front of the guarded server."""
    mounted = Mounted(pages=pages_app(settings, ids), server=with_link(prefect))
    app = guarded(mounted, LOGIN, host_names("127.0.0.1", ""), browsers=True)
    return Client(app, headers or BASIC)
