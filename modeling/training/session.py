"""A training in a folder: its learning curve, its checkpoints, and the final model.

An interrupted training resumes from its last checkpoint in the folder.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from modeling.checkpoint import load_checkpoint, save_checkpoint, save_model
from modeling.device import describe_device
from modeling.engines.distributed import ALONE, Group
from modeling.training.job import TrainingJob
from modeling.training.learning_curve import MetricsLog
from modeling.training.progress import CurvePoint
from modeling.training.tensorboard import EventFiles
from modeling.training.trainer import Trainer

CHECKPOINTS = "checkpoints"
POINTS = 400
"""Most points of a learning curve, not counting validations."""


class Session:
    """Trains a job in a folder, alone or as one of several processes."""

    def __init__(
        self,
        directory: Path,
        job: TrainingJob,
        device: torch.device,
        *,
        group: Group = ALONE,
        events: Path | None = None,
        started: float | None = None,
    ) -> None:
        """Start, or resume from the last checkpoint.

        Args:
            directory: receives all files.
            job: what to train.
            device: to train on.
            group: the processes that train together; the first one writes.
            events: folder for TensorBoard's event files.
            started: as for `Trainer`; by `time.monotonic`, which all processes share.

        Raises:
            ModelingError: as `Trainer`, or TensorBoard's package is missing.
        """
        self._directory = directory
        self._job = job
        self._group = group
        self._device = device
        checkpoint = load_checkpoint(directory / CHECKPOINTS)
        self.trainer = Trainer(
            job, device=device, started=started, checkpoint=checkpoint, group=group
        )
        self._log = MetricsLog(directory) if group.is_first else None
        characters = self.trainer.totals.characters
        self._events = EventFiles(events, characters) if group.is_first and events else None

    def run(self, stop: Callable[[], bool]) -> Iterator[CurvePoint]:
        """Train to the end, or save a checkpoint and return as soon as `stop` returns true."""
        trainer, pause = self.trainer, self._job.config.checkpoint_seconds
        if self._log:
            self._log.rewind(trainer.totals.step)
        save_at, log_at = time.monotonic() + pause, 0.0
        for point in trainer.run():
            if point.validation_bits is not None or point.fraction >= log_at:
                self._append(point)
                log_at = point.fraction + 1 / POINTS
            # All processes must take the same branch, so they use the first one's answers.
            stopping = bool(self._group.agreed(stop()))
            if stopping or self._group.agreed(time.monotonic() >= save_at):
                self._save()
                save_at = time.monotonic() + pause
            yield point
            if stopping:
                break
        else:
            self._finish()
        if self._events:
            self._events.close()

    def _append(self, point: CurvePoint) -> None:
        for curve in (self._log, self._events):
            if curve:
                curve.append(point)

    def _save(self) -> None:
        # Every process holds a part of the state, so all of them must call `checkpoint`.
        checkpoint = self.trainer.checkpoint()
        if self._log:
            self._log.sync()
            save_checkpoint(self._directory / CHECKPOINTS, checkpoint)

    def _finish(self) -> None:
        if self._log:
            job = self._job
            save_model(self._directory, job.config, job.vocabulary, self.trainer.best_model())
            self._log.finish()
            # The lines are deleted last, because resuming from a checkpoint needs them.
            shutil.rmtree(self._directory / CHECKPOINTS, ignore_errors=True)
            self._log.discard()

    def summary(self) -> dict[str, Any]:
        """The figures of the training, as plain JSON values."""
        totals, engine = self.trainer.totals, self.trainer.engine
        with engine.in_use():
            device = describe_device(self._device)
        return {
            "characters": totals.characters,
            "updates": totals.step,
            "seconds": round(totals.seconds, 3),
            "best_validation_bits": totals.best_bits,
            "vocabulary": self._job.vocabulary.size,
            "parameters": self.trainer.parameters,
            "precision": engine.precision,
            "engine": f"{engine}; {engine.reason}",
            "device": self._group.describe(device),
        }
