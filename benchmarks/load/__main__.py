"""What years of runs cost: pages in a browser, submissions, memory, and sizes before and after gc.

    python -m benchmarks.load [--datasets 20] [--runs 1000] [--reports 200] [--database URL]

Runs one small pipeline with `charmill serve`, fills the store with copies of its results and
Prefect's database with copies of its run, spread over a year, and prints Markdown tables. With a
URL (postgresql+asyncpg://user@host/name, empty) Prefect uses that database instead of SQLite.
Chromium must be on the path. Takes about ten minutes.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load.measure import (
    DATABASE,
    browser_seconds,
    database_megabytes,
    memory_megabytes,
    old_runs,
    processor,
    processor_seconds,
    server_of,
)
from benchmarks.load.store import fill_store, finished_runs, newest_reports
from flows.store.runs import Store
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.user import log_in
from tests.faults.soak import SMALL
from tests.flows.serving import Serving
from tests.processes import DEADLINE_SECONDS, until

ORIGINAL = "tiny"
DAYS, ROUNDS, SUBMISSIONS, PAGE_ROUNDS = 365.0, 2, 100, 5
HISTORY_DAYS = 91
"""Prefect and we keep flow runs for 90 days."""
VACUUM = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "30",
}
"""A database elsewhere is cleaned by Prefect, as docs/retention.md says."""


def main(datasets: int, runs: int, reports: int, database: str | None) -> None:
    """Fill, measure, and print."""
    _say(f"{processor()}, {os.cpu_count()} processors\n")
    with tempfile.TemporaryDirectory(prefix="charmill-load-") as folder:
        environment = {DATABASE: database, **VACUUM} if database else {}
        serving = Serving(Path(folder) / "served", environment=environment)
        names = [f"set{number:02}" for number in range(datasets)]
        for name in names:
            serving.add_dataset(name)
        store = Store(serving.artifacts)
        with _served(serving):
            run = serving.run(f"pipeline/{ORIGINAL}", overrides=SMALL)
            state = serving.ended(run)
            assert state["type"] == "COMPLETED", state["message"]
            until(lambda: serving.artifacts_of(f"report-{ORIGINAL}"))
            deployments = {
                name: serving.deployment(f"pipeline/{name}")["id"] for name in (ORIGINAL, *names)
            }
        fill_store(store, ORIGINAL, names, reports, DAYS)
        for number in range(1, ROUNDS + 1):
            _fill_history(serving, run, deployments, runs)
            with _served(serving):
                if number == 1:
                    _say_pages(serving, names, run, newest_reports(store, names[0]))
                    _say_submissions(serving, names)
                _say_retention(serving, store, number)


@contextmanager
def _served(serving: Serving) -> Iterator[None]:
    serving.start()
    try:
        yield
    finally:
        serving.stop()


def _fill_history(serving: Serving, run: str, deployments: Mapping[str, str], number: int) -> None:
    """Copies of a run, the pipelines in turn, evenly over the last year."""
    os.environ.update(serving.environment | {"PREFECT_HOME": str(serving.artifacts / ".prefect")})
    from benchmarks.load.history import Copy, copy_run

    names = [name for name in deployments if name != ORIGINAL]
    copies = [
        Copy(
            dataset=names[one % len(names)],
            deployment=deployments[names[one % len(names)]],
            before=timedelta(days=DAYS * (1 - one / number)),
        )
        for one in range(number)
    ]
    copy_run(run, ORIGINAL, deployments[ORIGINAL], copies)


def _say_pages(serving: Serving, names: list[str], run: str, pair: Mapping[str, str]) -> None:
    """How long pages take to open in a browser that is logged in, and the server's part of it."""
    from playwright.sync_api import sync_playwright

    name, ours, prefect = names[0], f"{serving.ui}/charmill", f"{serving.ui}/v2"
    pages = {
        "index of the datasets": (f"{ours}/", f"Runs and corpus of {names[-1]}"),
        "a dataset, with its trend": (f"{ours}/{name}", pair["new"]),
        "a report": (f"{ours}/{name}/report/{pair['new']}", "bits per character"),
        "search in the ledger": (f"{ours}/{name}/ledger?q=part1", "part1.py"),
        "comparison of two reports": (
            f"{ours}/{name}/compare/{pair['old']}/{pair['new']}",
            pair["old"],
        ),
        "Prefect: runs": (f"{prefect}/runs", "pipeline set"),
        "Prefect: a run": (f"{prefect}/runs/flow-run/{run}", "Logs"),
        "Prefect: deployments": (f"{prefect}/deployments", "any-dataset"),
    }
    _say(
        "| page | first, then median of 5 (minimum to maximum), s | processor: server, browser, s |"
    )
    _say("|---|---|---|")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        log_in(page, serving.ui, serving.login)
        for title, (address, text) in pages.items():
            first, *rounds = (_open(page, serving, address, text) for _ in range(1 + PAGE_ROUNDS))
            seconds, server, client = zip(*rounds, strict=True)
            shown = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
            busy = f"{statistics.median(server):.2f}, {statistics.median(client):.2f}"
            _say(f"| {title} | {first[0]:.2f}, {shown} | {busy} |")
        browser.close()
    _say(f"\nload average while this was measured: {os.getloadavg()[0]:.1f}\n")


def _open(page: Any, serving: Serving, address: str, text: str) -> tuple[float, float, float]:
    """Open a page until it shows a text.

    Returns:
        Seconds, and processor seconds of the server and of the browser.
    """
    page.goto("about:blank")
    server = server_of(serving)
    began, busy = time.monotonic(), (processor_seconds(server), browser_seconds(serving))
    page.goto(address, wait_until="domcontentloaded")
    page.get_by_text(text).first.wait_for(state="attached")
    took = time.monotonic() - began
    return took, processor_seconds(server) - busy[0], browser_seconds(serving) - busy[1]


def _say_submissions(serving: Serving, names: list[str]) -> None:
    """Submit runs at once, due now; then delete them."""
    user, _, password = serving.login.partition(":")
    deployments = [serving.deployment(f"pipeline/{name}")["id"] for name in names]

    def submit(number: int) -> tuple[int, str, float]:
        path = f"deployments/{deployments[number % len(deployments)]}/create_flow_run"
        body = {"state": {"type": "SCHEDULED"}, "parameters": {"plan_only": True}}
        began = time.monotonic()
        answer = httpx.post(
            f"{serving.ui}/api/{path}", json=body, auth=(user, password), timeout=DEADLINE_SECONDS
        )
        return answer.status_code, answer.json().get("id", ""), time.monotonic() - began

    began = time.monotonic()
    with ThreadPoolExecutor(SUBMISSIONS) as pool:
        answers = list(pool.map(submit, range(SUBMISSIONS)))
    took = time.monotonic() - began
    created = sum(status == httpx.codes.CREATED for status, _, _ in answers)
    slowest = max(seconds for *_, seconds in answers)
    _say(f"{created} of {SUBMISSIONS} runs submitted at once were created, in {took:.1f} s; ")
    _say(f"the slowest answer took {slowest:.1f} s\n")
    for _, run, _ in answers:
        serving.api("DELETE", f"flow_runs/{run}")


def _say_retention(serving: Serving, store: Store, number: int) -> None:
    """Sizes before and after the retention of the store and of the history."""
    _say_sizes(serving, store, f"round {number}, filled")
    began = time.monotonic()
    state = serving.ended(serving.run("gc/all-datasets"))
    assert state["type"] == "COMPLETED", state["message"]
    if serving.environment:
        until(lambda: old_runs(serving, HISTORY_DAYS) == 0)
    _say_sizes(serving, store, f"round {number}, {time.monotonic() - began:.0f} s later")


def _say_sizes(serving: Serving, store: Store, moment: str) -> None:
    assert serving.process
    runs = serving.api("POST", "flow_runs/count", {})
    figures = {
        "finished runs in the store": finished_runs(store),
        "flow runs": runs,
        "MB of Prefect's database": database_megabytes(serving),
        "MB of memory, server": memory_megabytes(server_of(serving)),
        "runner": memory_megabytes(serving.process.pid),
    }
    _say(f"{moment}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1000, help="finished runs in Prefect")
    parser.add_argument("--reports", type=int, default=200, help="of every dataset, in the store")
    parser.add_argument("--database", help="an empty PostgreSQL database instead of SQLite")
    chosen = parser.parse_args()
    main(chosen.datasets, chosen.runs, chosen.reports, chosen.database)
