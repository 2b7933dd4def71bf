"""A pipeline of five stages with nothing to do: `charmill run` and `dvc repro`.

dvc's stages copy the files that charmill's stages wrote, so that both look after the same files.
dvc is not asked whether the source has changed; charmill looks.
"""

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.real_corpora import TrialError
from benchmarks.rivals.cells import Figures
from flows.options import STAGE_NAMES
from flows.store.runs import Store

PART = "idle"
ROUNDS = 5
DATASET = "python-stdlib"
SMALL = ("--budget", "20kchars", "--set", "sample.length=200", "--set", "sample.samples=2")
OURS, DVC, LEAST = "charmill run", "dvc repro", "python -c pass"
UP_TO_DATE = b"up to date"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a process and of its children, by the clock and of CPU time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command, the folder it runs in, and what it says if it had nothing to do."""

    command: Sequence[str]
    folder: Path
    says: bytes = b""


def programs() -> str:
    """Those that can be measured here."""
    return f"{OURS} and {DVC}" if shutil.which("dvc") else OURS


def rounds(folder: Path, number: int = ROUNDS) -> dict[str, list[Spent]]:
    """What each program takes, interleaved; dvc is left out if it is not on the PATH.

    Raises:
        TrialError: if a program fails or does not say that it had nothing to do.
    """
    root = folder / "artifacts"
    variables = {"CHARMILL_ARTIFACTS": str(root), "DVC_NO_ANALYTICS": "true"}
    ours = [sys.executable, "-m", "flows.cli", "run", DATASET, *SMALL]
    compared = {OURS: Program(command=ours, folder=Path.cwd())}
    spend(compared[OURS], variables)
    if shutil.which("dvc"):
        pipeline = folder / "dvc"
        copied = {stage: Store(root).runs(stage, DATASET).last().folder for stage in STAGE_NAMES}
        lay(pipeline, copied, variables)
        compared[DVC] = Program(command=["dvc", "repro"], folder=pipeline, says=UP_TO_DATE)
    python = [sys.executable, "-c", "pass"]
    compared[LEAST] = Program(command=python, folder=Path.cwd())
    spent: dict[str, list[Spent]] = {name: [] for name in compared}
    for turn in range(number + 1):
        for name, program in compared.items():
            took = spend(program, variables)
            if turn:  # the first is a warm-up
                spent[name].append(took)
    return spent


def lay(pipeline: Path, folders: Mapping[str, Path], variables: Mapping[str, str]) -> None:
    """Make a pipeline of dvc with a stage for every folder, and run it once."""
    pipeline.mkdir(parents=True)
    stages: dict[str, dict[str, str | list[str]]] = {}
    for stage, folder in folders.items():
        copied = {"cmd": f"cp -r {shlex.quote(str(folder))} {stage}", "outs": [stage]}
        stages[stage] = copied | ({"deps": [list(stages)[-1]]} if stages else {})
    (pipeline / "dvc.yaml").write_text(json.dumps({"stages": stages}), encoding="utf-8")
    for words in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        spend(Program(command=["dvc", *words], folder=pipeline), variables)


def spend(program: Program, variables: Mapping[str, str]) -> Spent:
    """Run a program to its end.

    Raises:
        TrialError: if it fails or does not say what it should.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        program.command,
        cwd=program.folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    with process.stdout as stream:
        words = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or program.says not in words:
        text = words.decode(errors="replace").strip()
        raise TrialError(f"{' '.join(program.command)}: {text}")
    wall = time.perf_counter() - began
    return Spent(wall, used.ru_utime + used.ru_stime)


def figures(spent: Mapping[str, Sequence[Spent]]) -> Figures:
    """Medians with least and most, by "program, measure"."""
    found = {}
    for name, each in spent.items():
        for clock in ("wall", "cpu"):
            values = [getattr(one, clock) for one in each]
            found[f"{name}, {clock}"] = statistics.median(values)
            found[f"{name}, {clock}, least"] = min(values)
            found[f"{name}, {clock}, most"] = max(values)
    return found
