"""Many processes on one store at once, some of them killed; first runs of the command line at once.

All end well, or are the ones that were killed, and the store is as if one had run alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from signal import SIGKILL

from flows.options import STAGE_NAMES
from flows.store.runs import Store
from tests.faults.children import Child, adopt_orphans, assert_none_left, fork, living
from tests.faults.dataset import DATASET, OPTIONS, dataset
from tests.faults.kills import Scene, scene
from tests.faults.store import check
from tests.faults.table import Fault, LostError
from tests.processes import DEADLINE_SECONDS

CROWD, FIRST_RUNS = 10, 5


def _start(disturbed: Scene) -> Child:
    def make_all() -> str:
        return " ".join(disturbed.data.make(stage, disturbed.artifacts) for stage in STAGE_NAMES)

    return fork(make_all, folder=disturbed.folder)


def _ten(random: Random) -> None:
    """Ten processes run all stages of one dataset; three of them are killed on the way."""
    data = dataset("folder")
    data.finish("evaluate")
    with scene("folder", "fetch") as disturbed:
        crowd = [_start(disturbed) for _ in range(CROWD)]
        victims = random.sample(crowd, 3)
        for victim in victims:
            time.sleep(random.uniform(0, sum(data.seconds.values()) / 3))
            victim.send(SIGKILL)
        for child in crowd:
            if child.ends_or_dies() and child not in victims:
                raise LostError("a process died that nobody killed")
        disturbed.check()
        for stage in STAGE_NAMES:
            disturbed.stage = stage
            disturbed.check_finished()
            keys = disturbed.store.runs(stage, DATASET).keys()
            assert keys == [data.keys[stage]], keys


def _first_runs(random: Random) -> None:
    """Five `charmill run` at once on an empty root, through Prefect; each ends with a report."""
    adopt_orphans()
    data, others = dataset("folder"), living(set())
    with tempfile.TemporaryDirectory(prefix="round-") as name:
        folder = Path(name)
        variables = {
            "CHARMILL_ARTIFACTS": str(folder / "artifacts"),
            "CHARMILL_DATASETS": str(data.home / "datasets"),
            "CHARMILL_DEVICE": "cpu",
        }
        overrides = [part for text in OPTIONS.overrides for part in ("--set", text)]
        command = ["run", DATASET, "--budget", OPTIONS.budget, *overrides]
        runs = []
        for number in range(FIRST_RUNS):
            with (folder / f"log-{number}").open("w") as log:
                runs.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "flows.cli", *command],
                        env=os.environ | variables,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
            time.sleep(random.choice((0, 0, 0.2)))
        ends = [run.wait(DEADLINE_SECONDS) for run in runs]
        logs = [(folder / f"log-{number}").read_text() for number in range(FIRST_RUNS)]
        for status, log in zip(ends, logs, strict=True):
            if status:
                raise LostError(f"{ends}: one ended with {status}:\n{log[-4000:]}")
        store = Store(folder / "artifacts")
        check(store, DATASET, {})
        assert [len(runs.keys()) for runs in store.stages(DATASET)] == [1] * len(STAGE_NAMES)
        assert_none_left(others)


FAULTS = [
    Fault(name="ten processes, three killed", rounds=6, short_rounds=0, run=_ten),
    Fault(name="five first runs", rounds=2, short_rounds=0, run=_first_runs),
]
