"""One training in a folder: its learning curve, its checkpoints, and the model at its end.

What an interrupted session left in the folder is gone on with.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from modeling.checkpoint import load_checkpoint, save_checkpoint, save_model
from modeling.config import TrainConfig
from modeling.device import describe_device
from modeling.engines.distributed import ALONE, Group
from modeling.models.lstm import CharLSTM
from modeling.training.learning_curve import MetricsLog
from modeling.training.progress import CurvePoint
from modeling.training.tensorboard import EventFiles
from modeling.training.trainer import Trainer
from modeling.vocab import Ids, Vocabulary

CHECKPOINTS = "checkpoints"
POINTS = 400
"""So many points, at most, has a learning curve, validations apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a training is given.

    Attributes:
        stream: the training documents, each with its mark in front, (N,) uint16.
        validation: documents, each beginning with its mark.
        initial: a model to begin with, and its vocabulary.
    """

    config: TrainConfig
    vocabulary: Vocabulary
    stream: Ids
    validation: Sequence[Ids]
    initial: tuple[CharLSTM, Vocabulary] | None = None


class Session:
    """Trains `material` in a folder, alone or as one of several processes."""

    def __init__(
        self,
        directory: Path,
        material: Material,
        device: torch.device,
        *,
        group: Group = ALONE,
        events: Path | None = None,
    ) -> None:
        """Begin, or go on at the last checkpoint.

        Args:
            directory: everything is written into it.
            material: what to train on.
            device: to train on.
            group: the processes that train together; the first one writes.
            events: folder for TensorBoard's event files.

        Raises:
            ValueError: there is too little text, or what is there is of another training.
        """
        self._directory = directory
        self._material = material
        self._group = group
        self._device = device
        checkpoint = load_checkpoint(directory / CHECKPOINTS)
        self.trainer = Trainer(
            material.config,
            material.vocabulary,
            material.stream,
            material.validation,
            device=device,
            checkpoint=checkpoint,
            initial=None if checkpoint else material.initial,
            group=group,
        )
        writes = group.is_first
        self._log = MetricsLog(directory) if writes else None
        characters = self.trainer.totals.characters
        self._events = EventFiles(events, characters) if writes and events else None

    def run(self, stop: Callable[[], bool]) -> Iterator[CurvePoint]:
        """Train to the end; where `stop` says so, save a checkpoint and end before it."""
        trainer, pause = self.trainer, self._material.config.checkpoint_seconds
        if self._log:
            self._log.rewind(trainer.totals.step)
        due, point_due = time.monotonic() + pause, 0.0
        for progress in trainer.run():
            if progress.validation_bits is not None or progress.fraction >= point_due:
                self._note(progress)
                point_due = progress.fraction + 1 / POINTS
            # A number for two answers, so that all processes agree on both in one message.
            wish = int(self._group.agreed(2 * stop() + (time.monotonic() >= due)))
            if wish:
                self._save()
                due = time.monotonic() + pause
            yield progress
            if wish >= 2:
                break
        else:
            self._finish()
        if self._events:
            self._events.close()

    def _note(self, progress: CurvePoint) -> None:
        for curve in (self._log, self._events):
            if curve:
                curve.append(progress)

    def _save(self) -> None:
        # Every process has a part of the state, so all of them take the checkpoint.
        checkpoint = self.trainer.checkpoint()
        if self._group.is_first:
            save_checkpoint(self._directory / CHECKPOINTS, checkpoint)

    def _finish(self) -> None:
        if self._log:
            material = self._material
            save_model(
                self._directory, material.config, material.vocabulary, self.trainer.best_model()
            )
            self._log.finish()
            # The lines go last: a checkpoint that is gone on with needs them.
            shutil.rmtree(self._directory / CHECKPOINTS, ignore_errors=True)
            self._log.discard()

    def summary(self) -> dict[str, Any]:
        """The figures of the training, JSON-plain."""
        totals = self.trainer.totals
        with self.trainer.engine.in_use():
            device = describe_device(self._device)
        return {
            "characters": totals.characters,
            "updates": totals.step,
            "seconds": round(totals.seconds, 3),
            "best_validation_bits": totals.best_bits,
            "vocabulary": self._material.vocabulary.size,
            "parameters": self.trainer.parameters,
            "precision": self.trainer.engine.precision,
            "engine": f"{self.trainer.engine}; {self.trainer.engine.reason}",
            "device": self._group.describe(device),
        }
