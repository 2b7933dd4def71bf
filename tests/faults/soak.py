"""A served charmill under schedules for an hour: what grows?

    python -m tests.faults.soak [--minutes 60] [--every 20]

A schedule runs the pipeline of a small dataset whose source changes all the time. Retention, ours
and Prefect's of its events, removes what is older than ten minutes instead of days. Prints each
minute, and at the end as a growth per hour, from the middle of the time to its end: the memory and
open files of the server and of the process that starts the runs, the database, and the folders.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from corpora.spec import dataset_files
from flows.reporting.history import delete_old_runs
from flows.retention.collect import collect
from flows.retention.limits import Limits
from flows.store.protection import GRACE
from flows.store.runs import Store
from tests.flows.serving import Serving
from tests.processes import descendants

PIPELINE = "pipeline/tiny"
SMALL = ["train.budget=2kchars", "sample.length=100", "evaluate.control_windows=2"]
MEGABYTE = 1e6
KEPT = timedelta(minutes=10)
COLLECT_SECONDS = 180
EVENT_RETENTION = {
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{KEPT.seconds}S",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": str(COLLECT_SECONDS),
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a served charmill takes at one moment; sizes in megabytes."""

    minutes: float
    server_memory: float
    runner_memory: float
    server_files: int
    runner_files: int
    database: float
    artifacts: float
    folders: int
    finished: int
    other_ends: int


def take(serving: Serving, began: float) -> Sample:
    """Measure now."""
    assert serving.process
    runner = serving.process.pid
    server = _server(runner)
    states = Counter(_end(row) for row in _runs(serving))
    artifacts = serving.artifacts
    return Sample(
        minutes=round((time.monotonic() - began) / 60, 1),
        server_memory=_memory(server),
        runner_memory=_memory(runner),
        server_files=_files(server),
        runner_files=_files(runner),
        database=_size(artifacts / ".prefect", "prefect.db*"),
        artifacts=_size(artifacts, "*/tiny/**/*"),
        folders=len(list(artifacts.glob("*/tiny/[!.]*"))),
        finished=states["COMPLETED"],
        other_ends=states["FAILED"] + states["CRASHED"],
    )


def growth(samples: list[Sample]) -> dict[str, float]:
    """Growth per hour of every figure, from the middle sample to the last."""
    middle, last = samples[len(samples) // 2], samples[-1]
    hours = max(last.minutes - middle.minutes, 0.1) / 60
    first, end = asdict(middle), asdict(last)
    return {name: round((end[name] - first[name]) / hours, 1) for name in end if name != "minutes"}


def _server(runner: int) -> int:
    """The process of Prefect's server below the one that serves."""
    for pid in sorted(descendants(runner)):
        with suppress(OSError):
            if b"flows.server" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise RuntimeError("the server is gone")


def _memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE, 1)


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _size(folder: Path, pattern: str) -> float:
    total = 0
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return round(total / MEGABYTE, 2)


def _end(run: dict[str, Any]) -> str:
    """How a run ended; a source that was edited while it was copied is refused, as it should be."""
    edited = "changed while it was read" in (run["state"]["message"] or "")
    return "EDITED" if edited else run["state_type"]


def _runs(serving: Serving) -> list[dict]:
    """The 200 newest flow runs."""
    body = {"sort": "START_TIME_DESC", "limit": 200}
    return serving.api("POST", "flow_runs/filter", body)


def _schedule(serving: Serving, every: float) -> None:
    path = f"deployments/{serving.deployment(PIPELINE)['id']}/schedules"
    start = datetime.now(UTC).isoformat()
    schedule = {"interval": every, "anchor_date": start, "timezone": "UTC"}
    parameters = {"overrides": SMALL}
    body = [{"schedule": schedule, "active": True, "parameters": parameters}]
    serving.api("POST", path, body)


def _keep_changing(folder: Path, every: float, stop: threading.Event) -> None:
    """Change a file of the source before each run."""
    number = 0
    while not stop.wait(every):
        number += 1
        (folder / "part0.py").write_text(f"def part0(a):\n    return a + {number}\n")


def _keep_collecting(root: Path, stop: threading.Event) -> None:
    """Retention as of the moment when runs of ten minutes ago are no longer protected."""
    store = Store(root / "artifacts")
    while not stop.wait(COLLECT_SECONDS):
        now, tomls = datetime.now(UTC), dataset_files([root / "datasets"])
        outcome = collect(store, Limits(older_than="0h"), now + GRACE - KEPT, tomls=tomls)
        old = delete_old_runs(store, now - KEPT)
        _say(f"removed: {len(outcome.removed)} runs of stages, {old} runs of Prefect's history")


def main() -> int:
    """Serve, measure each minute, and print; fails if any run did."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=20, help="seconds between two runs")
    options = parser.parse_args()
    import tests.conftest  # noqa: F401 (leaves the user's configuration out)

    samples: list[Sample] = []
    names = [one.name for one in fields(Sample)]
    with tempfile.TemporaryDirectory(prefix="charmill-soak-") as folder:
        serving, stop = Serving(Path(folder), environment=EVENT_RETENTION), threading.Event()
        serving.start()
        helpers = [
            threading.Thread(
                target=_keep_changing, args=(Path(folder) / "code", options.every, stop)
            ),
            threading.Thread(target=_keep_collecting, args=(Path(folder), stop)),
        ]
        for helper in helpers:
            helper.start()
        try:
            _schedule(serving, options.every)
            began = time.monotonic()
            _say(" ".join(f"{name:>14}" for name in names))
            while time.monotonic() - began < 60 * options.minutes:
                time.sleep(min(60, 60 * options.minutes))
                samples.append(take(serving, began))
                _say(" ".join(f"{value:>14}" for value in asdict(samples[-1]).values()))
        finally:
            stop.set()
            for helper in helpers:
                helper.join()
            serving.stop()
    _say(f"\ngrowth per hour, from the middle to the end: {growth(samples)}")
    return int(samples[-1].other_ends > 0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
