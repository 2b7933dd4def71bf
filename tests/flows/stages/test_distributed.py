import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flows.errors import StageError
from flows.progress import LogReporter
from flows.stages.distributed import _watch
from flows.stages.table import STAGES
from flows.store.stage import execute
from tests.processes import until


def train(tiny, processes, **options):
    """The manifest and the folder of a training in this number of processes."""
    settings = tiny.settings.model_copy(update={"processes": processes})
    run, keys, made = tiny.run(**options), {}, None
    for stage in STAGES[:3]:
        inputs = stage.choose(keys)
        made = execute(
            stage, run, inputs, settings=settings, reporter=LogReporter(), force=processes > 1
        )
        keys[stage.name] = made.key
    assert made
    return made, tiny.store.runs("train", "tiny").run(made.key).folder


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tiny):
    one, _ = train(tiny, 1)
    two, folder = train(tiny, 2)
    assert two.summary["characters"] == one.summary["characters"]
    assert two.summary["best_validation_bits"] == pytest.approx(
        one.summary["best_validation_bits"], rel=1e-3
    )
    assert two.summary["device"].startswith("2 x ")
    left = {path.name for path in folder.iterdir()}
    assert left == {
        "config.json",
        "manifest.json",
        "metrics.parquet",
        "model.safetensors",
        "vocabulary.json",
    }


@pytest.mark.slow
def test_what_the_processes_refuse_is_said_in_one_line(tiny):
    with pytest.raises(StageError, match="batch_size 4 leaves some of 3 processes without"):
        train(tiny, 3)


@pytest.mark.slow
def test_a_wish_to_stop_leaves_a_checkpoint_and_no_process(tiny):
    def stop():
        work = tiny.store.runs("train", "tiny").folder
        while not list(work.glob(".work-*/checkpoints/*")):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        train(tiny, 2, overrides=("train.budget=50Mchars",))
    (work,) = tiny.store.runs("train", "tiny").folder.glob(".work-*")
    assert list((work / "checkpoints").iterdir())
    until(lambda: not _at_work(work))


def _at_work(folder):
    """Processes whose command line names the folder."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_bytes())
    return [line for line in lines if os.fsencode(folder) in line]


def process_that_prints(*lines: dict) -> "subprocess.Popen[str]":
    """A stand-in for torchrun: prints the lines, then waits for the other processes."""
    text = "\n".join(map(json.dumps, lines))
    script = f"import time; print({text!r}, flush=True); time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_what_any_process_refuses_is_said_while_the_others_still_wait(tmp_path):
    process = process_that_prints({"error": "rank 1: no memory"}, {"summary": {}})
    began = time.monotonic()
    with pytest.raises(StageError, match="rank 1: no memory"):
        list(_watch(process, tmp_path))
    assert time.monotonic() - began < 30
    assert process.returncode == -signal.SIGKILL


def test_an_exception_in_a_process_keeps_its_traceback(tmp_path):
    process = process_that_prints({"bug": "Traceback\nValueError: shapes"}, {"summary": {}})
    with pytest.raises(RuntimeError, match=r"(?s)training processes.*Traceback.*: shapes"):
        list(_watch(process, tmp_path))


def test_processes_that_were_killed_are_no_bug(tmp_path):
    script = "import os; os.kill(os.getpid(), 9)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with pytest.raises(StageError, match="were killed, or lost each other; their log"):
        list(_watch(process, tmp_path))
