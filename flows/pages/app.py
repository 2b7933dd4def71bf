"""The pages as an ASGI app, read-only, mounted at /charmill next to Prefect's UI.

Everything around it (login, own origin, security headers) is in `flows.server`. Names and keys in
an address are looked up among those that exist; none becomes part of a path before. Pages are
rendered in threads, two at a time, so that Prefect's API keeps answering.

A report is a file that contains text of a model and of its sources. Besides having no scripts, it
is sandboxed: as far as the browser is concerned, it comes from nowhere, and so could not use the
API even if it had one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from corpora.spec import NAME, dataset_files
from flows.errors import DamageError, StageError
from flows.pages.artifact_ids import artifact_ids
from flows.pages.links import ServedLinks
from flows.pages.ui_link import with_link
from flows.reporting.addresses import PAGES, artifact_address, report_address
from flows.store.integrity import verified
from flows.store.manifest import KEY
from flows.store.runs import LATEST, Store
from system.errors import CharmillError
from system.settings import Settings

if TYPE_CHECKING:
    from flows.pages.content import Pages

AT_ONCE = 2
MAX_TEXT, MAX_PAGE = 200, 10**6
MAX_PATH = 5_000
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
REPORT_POLICY = POLICY.replace("form-action 'self'", "form-action 'none'") + "; sandbox"
HEADERS = {"content-security-policy": POLICY, "cache-control": "no-store"}
"""Nothing is cached: what `charmill forget` deletes must not remain in a browser."""
REPORT_HEADERS = HEADERS | {"content-security-policy": REPORT_POLICY}
ARTIFACTS = {"plan": "Last plan", "corpus": "Corpus in Prefect", "report": "Report in Prefect"}
ArtifactIds = Callable[[Sequence[str]], Awaitable[dict[str, str]]]


def with_pages(server: ASGIApp, settings: Settings) -> ASGIApp:
    """Prefect's server with our pages, and a link to them on its own."""
    return Mounted(pages=pages_app(settings, artifact_ids), server=with_link(server))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What is below PAGES goes to `pages`, everything else to `server`."""

    pages: ASGIApp
    server: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        is_ours = path == PAGES or path.startswith(f"{PAGES}/")
        await (self.pages if is_ours else self.server)(scope, receive, send)


def pages_app(settings: Settings, ids: ArtifactIds) -> Starlette:
    """The pages alone.

    Args:
        ids: finds the newest version of artifacts of Prefect by their keys.
    """
    views = _Views(settings=settings, store=Store(settings.artifacts_root), ids=ids)
    dataset = f"{PAGES}/{{dataset}}"
    routes = {
        PAGES: views.to_index,
        f"{PAGES}/": views.index,
        dataset: views.dataset,
        f"{dataset}/report/{{key}}": views.report,
        f"{dataset}/compare/{{old}}/{{new}}": views.compare,
        f"{dataset}/diff/{{old}}/{{new}}": views.diff,
        f"{dataset}/ledger": views.ledger,
        f"{dataset}/training": views.training,
    }
    app = Starlette(routes=[Route(path, view, methods=["GET"]) for path, view in routes.items()])
    app.router.redirect_slashes = False
    for error in (CharmillError, OSError):
        app.add_exception_handler(error, views.failed)
    app.add_exception_handler(404, views.missing)
    return app


class _NoPageError(StageError):
    """The address names nothing that exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Views:
    """One method for each page."""

    settings: Settings
    store: Store
    ids: ArtifactIds
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def to_index(self, _request: Request) -> Response:
        return RedirectResponse(f"{PAGES}/", headers=HEADERS)

    async def index(self, _request: Request) -> Response:
        return await self._page(lambda pages: pages.index())

    async def dataset(self, request: Request) -> Response:
        name = self._dataset(request)
        keys = {f"{kind}-{name}": label for kind, label in ARTIFACTS.items()}
        found = await self.ids(list(keys))
        links = {label: artifact_address(found[key]) for key, label in keys.items() if key in found}
        return await self._page(lambda pages: pages.dataset(name, links))

    async def report(self, request: Request) -> Response:
        runs, key = self.store.runs("evaluate", self._dataset(request)), _key(request, "key")
        if key == LATEST:
            newest = report_address(runs.dataset, runs.last().key)
            return RedirectResponse(newest, headers=HEADERS)
        run = runs.run(key)
        if not run.is_finished:
            raise _NoPageError(f"{run.runs}: no run {key}; it may have been removed")
        async with self.turns:
            folder = await run_in_threadpool(verified, run, "report.html")
        if not (folder / "report.html").is_file():  # of an earlier version, without digests
            raise _NoPageError(f"{run.runs}, {run.key}: has no report.html")
        return FileResponse(folder / "report.html", media_type="text/html", headers=REPORT_HEADERS)

    async def compare(self, request: Request) -> Response:
        name, pair = self._dataset(request), (_key(request, "old"), _key(request, "new"))
        return await self._page(lambda pages: pages.compare(name, pair))

    async def diff(self, request: Request) -> Response:
        name, pair = self._dataset(request), (_key(request, "old"), _key(request, "new"))
        return await self._page(lambda pages: pages.diff(name, pair))

    async def ledger(self, request: Request) -> Response:
        from flows.pages.content import ANY

        name, query = self._dataset(request), request.query_params
        if file := query.get("file", "")[:MAX_PATH]:
            return await self._page(lambda pages: pages.file(name, file))
        text, reason = query.get("q", "")[:MAX_TEXT], query.get("reason", ANY)[:MAX_TEXT]
        digits = query.get("page", "1")
        page = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else 1
        chosen = None if reason == ANY else reason
        number = min(max(page, 1), MAX_PAGE)
        return await self._page(lambda pages: pages.ledger(name, text, chosen, number))

    async def training(self, request: Request) -> Response:
        name = self._dataset(request)
        return await self._page(lambda pages: pages.training(name))

    async def failed(self, _request: Request, error: Exception) -> Response:
        """Say in a page what the command line would say in a line."""
        status = 500 if isinstance(error, DamageError | OSError) else 404
        title = "No such page" if status == 404 else "This cannot be read"
        return await self._page(lambda pages: pages.problem(title, str(error)), status)

    async def missing(self, request: Request, _error: Exception) -> Response:
        text = f"There is nothing at {request.url.path}"
        return await self._page(lambda pages: pages.problem("No such page", text), 404)

    async def _page(self, render: "Callable[[Pages], str]", status: int = 200) -> Response:
        async with self.turns:
            text = await run_in_threadpool(self._rendered, render)
        return HTMLResponse(text, status, HEADERS)

    def _rendered(self, render: "Callable[[Pages], str]") -> str:
        from flows.pages.content import Pages  # loads matplotlib, only when a page is asked for

        return render(Pages(self.store, ServedLinks()))

    def _dataset(self, request: Request) -> str:
        """The dataset that an address names.

        Raises:
            StageError: if there is none of this name, and never was.
        """
        name = request.path_params["dataset"]
        if NAME.fullmatch(name) and (
            name in self.store.datasets() or name in dataset_files(self.settings.dataset_folders)
        ):
            return name
        raise _NoPageError(f"there is no dataset {name!r:.120}")


def _key(request: Request, name: str) -> str:
    """The key of a run, or the beginning of one, in an address."""
    key = request.path_params[name]
    if not KEY.fullmatch(key):
        raise _NoPageError(f"{key!r:.120} is not the key of a run")
    return key
