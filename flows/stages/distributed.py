"""Train in several processes on this machine: one per GPU, or per share of the cores.

`torchrun` starts them on the work folder, which holds everything they need; the first one prints
its progress, and finally the summary, as JSON lines. They run this module.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed

from flows.errors import StageError
from flows.stages.signals import stop_requests
from modeling.checkpoint import load_model
from modeling.config import train_config_from
from modeling.engines.distributed import Group, leave
from modeling.training.job import TrainingJob
from modeling.training.progress import CurvePoint
from modeling.training.session import Session
from modeling.vocab import MARK_ID, Vocabulary
from system.errors import CharmillError
from system.processes import dying_with_parent
from system.progress import Progress

TASK = "together.json"
VOCABULARY = "together-vocabulary.json"
VALIDATION = "together-validation.npy"
LOG = "together.log"
PROGRESS_SECONDS = 0.2


def train_in_processes(
    directory: Path, job: TrainingJob, processes: int, **task: Any
) -> Generator[Progress, None, dict[str, Any]]:
    """Train in several processes; returns the summary of the training.

    Args:
        directory: of the training; holds the stream.
        job: what to train on; its stream and its initial model are read from their files.
        processes: how many; on CUDA one per GPU.
        task: `device` ("cpu" or "cuda"), `stream`, `initial`, `events` (paths or None), and
            `started`, as in `Session`.

    Raises:
        StageError: if the training failed; names the log if its processes were killed.
        RuntimeError: if one of them raised an exception, with its traceback.
    """
    job.vocabulary.save(directory / VOCABULARY)
    none = np.zeros(0, np.uint16)
    np.save(directory / VALIDATION, np.concatenate([none, *job.validation]))
    described = {"config": job.config.to_dict(), **task}
    (directory / TASK).write_text(json.dumps(described, default=str), encoding="utf-8")
    summary = yield from _watch(_start(directory, processes), directory)
    for name in (TASK, VOCABULARY, VALIDATION, LOG):
        (directory / name).unlink()
    return summary


def _start(directory: Path, processes: int) -> "subprocess.Popen[str]":
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    with (directory / LOG).open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, *launcher, "-m", "flows.stages.distributed", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 (touches no lock)
        )


def _watch(
    process: "subprocess.Popen[str]", directory: Path
) -> Generator[Progress, None, dict[str, Any]]:
    """Yield the progress of the processes; pass a signal to stop on to them."""
    message: dict[str, Any] = {}
    stopping = False
    with stop_requests() as stop, process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                message = json.loads(line)
                if "error" in message or "bug" in message:
                    break  # the other processes wait for the one that refused
                if stop and not stopping:
                    process.send_signal(signal.SIGTERM)
                    stopping = True
                if "progress" in message:
                    progress = CurvePoint(**message["progress"])
                    yield Progress.at(progress.fraction, progress.line(message["best"]))
        finally:
            if process.poll() is None and not stopping:
                # Its workers die with it.
                process.kill()
    if "error" in message:
        raise StageError(message["error"])
    if "bug" in message:
        raise RuntimeError(f"in one of the training processes:\n{message['bug']}")
    if "summary" not in message and not stop:
        raise StageError(
            f"the training processes were killed, or lost each other; their log: {directory / LOG}"
        )
    return message.get("summary", {})


def main() -> None:
    """Run one of the processes: train in the folder that the command line names."""
    die = dying_with_parent(signal.SIGKILL)
    if die:
        die()
    directory = Path(sys.argv[1])
    task = json.loads((directory / TASK).read_text(encoding="utf-8"))
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stops.append(number))
    on_gpu = task["device"] == "cuda"
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if on_gpu else "cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    group = Group.joined()
    try:
        _train(directory, task, device, group, stops)
    except CharmillError as error:
        _print({"error": str(error)})
        leave(1)
    except Exception as error:
        if not _is_loss_of_another(error):
            _print({"bug": traceback.format_exc()})
        raise
    leave(0)


def _is_loss_of_another(error: Exception) -> bool:
    """Whether an exception only means that another process has ended, such as for its memory."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error)


def _train(
    directory: Path, task: dict[str, Any], device: torch.device, group: Group, stops: list[int]
) -> None:
    events = task["events"] and Path(task["events"])
    job, started = _job(directory, task), task["started"]
    session = Session(directory, job, device, group=group, events=events, started=started)
    due = 0.0
    for progress in session.run(lambda: bool(stops)):
        if group.is_first and time.monotonic() >= due:
            _print({"progress": asdict(progress), "best": session.trainer.totals.best_bits})
            due = time.monotonic() + PROGRESS_SECONDS
    if group.is_first and not stops:
        _print({"summary": session.summary()})


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _job(directory: Path, task: dict[str, Any]) -> TrainingJob:
    ids = np.load(directory / VALIDATION)
    initial = None
    if task["initial"]:
        model, vocabulary, _ = load_model(Path(task["initial"]))
        initial = (model, vocabulary)
    return TrainingJob(
        config=train_config_from(task["config"]),
        vocabulary=Vocabulary.load(directory / VOCABULARY),
        stream=np.load(task["stream"], mmap_mode="r"),
        validation=np.split(ids, np.flatnonzero(ids == MARK_ID))[1:],
        initial=initial,
    )


if __name__ == "__main__":
    main()
