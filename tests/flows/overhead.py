"""Measure the overhead of Prefect: seconds from request to completion, less those of the stage.

python -m tests.flows.overhead [ROUNDS]

Shows the time of each phase of an embedded run, the cost of a run on a running server, and the time
of each installed task runner for three small datasets. Needs an idle machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from flows.orchestration.task_runners import PACKAGES
from tests.flows.serving import Serving

DATASETS = ("tiny", "small", "little")
UNTIL = "Prefect, until the stage starts"
SIGNS = {"starting Prefect": "plan", "fetch    started": UNTIL, "corpus   started": UNTIL}
"""A line of `charmill run`, and what was done when it appears."""
WORK = "the stage itself"
END = "results, and leaving"
NOTHING = "nothing to do: charmill run"
SERVED = "a stage, served: from asked to done, less its work"


def timeline(home: Serving, *arguments: str) -> dict[str, float]:
    """Run `charmill`; returns the seconds of each of its phases."""
    seconds, began = {}, time.perf_counter()
    command = [sys.executable, "-m", "flows.cli", *arguments]
    with subprocess.Popen(
        command,
        env=os.environ | home.home(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            phase = next((SIGNS[sign] for sign in SIGNS if line.startswith(sign)), None)
            if phase and phase not in seconds:
                seconds[phase], began = time.perf_counter() - began, time.perf_counter()
    assert process.returncode == 0, command
    seconds[END] = time.perf_counter() - began
    return seconds


def embedded(home: Serving) -> dict[str, float]:
    """The phases of `charmill run --only corpus`, which starts a server."""
    phases = timeline(home, "run", "tiny", "--only", "corpus", "--force")
    work = stage_seconds(home)
    phases[END] -= work
    overhead = sum(phases.values())
    return {**phases, WORK: work, "in all, less the stage": overhead}


def served(home: Serving) -> dict[str, float]:
    """A run of a deployment whose server and runner are running."""
    began = time.perf_counter()
    run = home.run("corpus/any-dataset", dataset="tiny", force=True)
    assert home.ended(run)["type"] == "COMPLETED"
    return {SERVED: time.perf_counter() - began - stage_seconds(home)}


def stage_seconds(home: Serving) -> float:
    """Duration of the last run of the stage `corpus`."""
    latest = home.artifacts / "corpus" / "tiny" / "latest" / "manifest.json"
    return json.loads(latest.read_text(encoding="utf-8"))["seconds"]


def idle(home: Serving) -> dict[str, float]:
    """A run for which everything is current."""
    return {NOTHING: sum(timeline(home, "run", "tiny").values())}


def runners(home: Serving) -> dict[str, float]:
    """Total time of three small corpora with each installed task runner."""
    there = ["threads", *(name for name, package in PACKAGES.items() if find_spec(package))]
    return {
        f"build of three, two at once: {name}": sum(
            timeline(
                home, "build", *DATASETS, "--force", "--workers", "2", "--runner", name
            ).values()
        )
        for name in there
    }


def median(measure: Callable[[Serving], dict[str, float]], home: Serving, rounds: int) -> Iterator:
    """The name of each figure, its median, minimum and maximum."""
    found = [measure(home) for _ in range(rounds)]
    for name in found[0]:
        values = [one[name] for one in found]
        yield name, statistics.median(values), min(values), max(values)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Serving(Path(folder) / "home")
        for name in DATASETS[1:]:
            home.add_dataset(name)
        first = timeline(home, "run", "tiny")[UNTIL]
        show("embedded, on a fresh home: until the first stage starts", first, first, first)
        for measure in (idle, embedded, runners):
            for row in median(measure, home, rounds):
                show(*row)
        home.start()
        for row in median(served, home, rounds):
            show(*row)
        home.stop()


def show(name: str, middle: float, least: float, most: float) -> None:
    """Print a figure, in seconds."""
    sys.stdout.write(f"{name:<58} {middle:7.2f}   {least:.2f} to {most:.2f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
