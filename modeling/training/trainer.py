"""Training as a generator of progress, which can be stopped and resumed between any two points.

`Trainer.run` yields a point of the learning curve after every update (every 16 on a GPU, which must
not wait for its host). Between two points `checkpoint` copies the whole state. A trainer that is
created from a checkpoint continues as if there had been no interruption: with a budget of
characters or epochs the final weights are bitwise equal on the same CPU, torch version and number
of threads. With a budget of seconds the learning rate follows the clock, and no two trainings are
equal. The engine and its number of threads are measured at the start and saved in checkpoints.

No random state is saved: order, jumps and dropout are functions of the seed and the step.
"""

import copy
import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modeling.checkpoint import Checkpoint
from modeling.config import TrainConfig
from modeling.engines.batches import Cursor
from modeling.engines.distributed import ALONE, Group
from modeling.engines.engine import Engine
from modeling.engines.learner import Learner, under, updates_between_reads
from modeling.engines.race import continued, engine_for
from modeling.errors import CheckpointError, DivergenceError
from modeling.models.model import CharModel
from modeling.training.fine_tune import take_over
from modeling.training.job import TrainingJob
from modeling.training.progress import CurvePoint, Totals
from modeling.training.schedule import BudgetMeter, learning_rate_at
from modeling.training.validation import Validation
from modeling.vocab import Vocabulary

_SMOOTHING = 0.99
_DROPOUT = 2
"""Distinguishes this use of the seed from the two in `batches`."""

_log = logging.getLogger(__name__)


class Trainer:
    """One training."""

    def __init__(
        self,
        job: TrainingJob,
        *,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
        started: float | None = None,
        checkpoint: Checkpoint | None = None,
        group: Group = ALONE,
    ) -> None:
        """Start a training, or resume it.

        Args:
            job: what to train.
            device: to train on.
            clock: seconds since any fixed moment.
            started: since when time counts towards the budget, by the clock; None for now.
            checkpoint: to resume from; of a training with the same configuration and data.
            group: the processes that train together; all must call the same methods.

        Raises:
            TextError: there is too little text.
            CheckpointError: the checkpoint is of another training, or `initial` of another shape.
            DeviceError: nothing on this machine computes in the precision of the configuration.
        """
        self._job, config = job, job.config
        self._clock = group.shared(clock)
        begun = self._clock() if started is None else started
        affordable = job.vocabulary.affordable(config.validation_characters)
        self._validation = Validation(job.validation, affordable)
        self._batches = job.batches()
        streams = self._batches.batch_size
        group.check(streams)
        self._engine = _engine(job, device, group, checkpoint)
        shape = (config, job.vocabulary.size, streams, device, group)
        self._learner = Learner(*shape, engine=self._engine, text=job.stream)
        self._learner.model.learn_characters(job.vocabulary)
        self._meter = BudgetMeter(config.budget, len(job.stream))
        self._totals = Totals()
        self._best: dict[str, Tensor] = {}
        if checkpoint:
            self._restore(checkpoint)
        elif job.initial:
            self._start_from(*job.initial)
        self._origin = begun - self._totals.seconds
        self._totals.preparation += self._clock() - begun
        self._totals.seconds = self._seconds()
        self._good = self.checkpoint()

    @property
    def engine(self) -> Engine:
        """What computes this training."""
        return self._engine

    @property
    def fraction(self) -> float:
        """Spent share of the budget, 0 to 1."""
        return self._meter.fraction(self._totals)

    @property
    def has_ended(self) -> bool:
        """Whether the budget is spent, or patience ran out."""
        patience = self._job.config.patience
        return self.fraction == 1 or 0 < patience <= self._totals.without_gain

    @property
    def parameters(self) -> int:
        """Number of the model's parameters."""
        return sum(weight.numel() for weight in self._learner.model.parameters())

    @property
    def totals(self) -> Totals:
        """A copy of the numbers so far."""
        return copy.copy(self._totals)

    def run(self) -> Iterator[CurvePoint]:
        """Train until `has_ended`; the consumer's time counts towards the budget.

        Raises:
            DivergenceError: the training diverged for the second time.
            CapacityError: a batch does not fit in memory.
        """
        with self._engine.in_use():
            yield from self._points()

    def _points(self) -> Iterator[CurvePoint]:
        totals, begun, trained = self._totals, self._totals.seconds, 0
        while not self.has_ended:
            before = totals.characters
            nats, norms, rate = self._updates()
            if not torch.isfinite(nats + norms).all():
                self._go_back()
                totals = self._totals
                continue
            characters = totals.characters - before
            trained += characters
            self._smooth(nats, characters)
            validation_bits = self._validate() if self._validation_is_due() else None
            totals.seconds = self._seconds()
            yield CurvePoint(
                step=totals.step,
                characters=totals.characters,
                seconds=totals.seconds,
                fraction=self.fraction,
                train_bits=totals.bits_sum / totals.bits_weight,
                validation_bits=validation_bits,
                learning_rate=rate,
                gradient_norm=float(norms[-1]),
                characters_per_second=trained / max(totals.seconds - begun, 1e-9),
            )

    def checkpoint(self) -> Checkpoint:
        """Copy the whole state of the training; only between two points."""
        tensors = self._learner.tensors()
        cursor = self._batches.cursor
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        tensors["cursor.position"] = torch.from_numpy(cursor.position)
        tensors["cursor.end"] = torch.from_numpy(cursor.end)
        values = {
            "identity": _identity(self._job),
            "engine": asdict(self._engine),
            "account": asdict(self._totals),
            "pieces_taken": cursor.taken,
        }
        return Checkpoint(tensors=tensors, values=values)

    def best_model(self) -> CharModel:
        """Copy the model with the fewest validation bits so far, in evaluation mode.

        Without validation documents it is the current model.
        """
        model = self._learner.model.copied()
        if self._best:
            model.load_state_dict(self._best)
        return model.eval()

    def _restore(self, checkpoint: Checkpoint) -> None:
        theirs: dict[str, Any] = checkpoint.values["identity"]
        ours = _identity(self._job)
        different = [key for key in ours if theirs.get(key) != ours[key]]
        if different:
            raise CheckpointError(f"the checkpoint is of another training: other {different[0]}")
        self._learner.load(checkpoint.tensors)
        self._best = under(checkpoint.tensors, "best.")
        self._totals = Totals(**checkpoint.values["account"])
        cursor = under(checkpoint.tensors, "cursor.")
        self._batches.cursor = Cursor(
            position=cursor["position"].numpy(),
            end=cursor["end"].numpy(),
            taken=checkpoint.values["pieces_taken"],
        )

    def _start_from(self, model: CharModel, vocabulary: Vocabulary) -> None:
        unknown = take_over(self._learner.model, self._job.vocabulary, model, vocabulary)
        _log.info("starting from given weights, which lack %d characters", unknown)

    def _seconds(self) -> float:
        """Wall time so far, over all sessions."""
        return self._clock() - self._origin

    def _updates(self) -> tuple[Tensor, Tensor, float]:
        """Train up to the next point.

        Returns:
            Sum of the nats and norm of the gradient of every update, (n,) each, and the last
            learning rate.
        """
        config, totals = self._job.config, self._totals
        results: list[Tensor] = []
        rate = 0.0
        most = updates_between_reads(self._learner.model.device)
        while len(results) < most and (fraction := self.fraction) < 1:
            batch = self._batches.next(totals.step, jump=self._meter.is_short(totals))
            rate = totals.rate_factor * learning_rate_at(config, fraction)
            results.append(self._learner.update(batch, rate, _dropout_seed(config, totals.step)))
            totals.step += 1
            totals.characters += batch.characters
            totals.seconds = self._seconds()
        nats, norms = torch.stack(results).cpu().unbind(dim=1)
        return nats, norms, rate

    def _smooth(self, nats: Tensor, characters: int) -> None:
        kept = _SMOOTHING ** len(nats)
        bits = float(nats.double().sum()) / math.log(2) / characters
        self._totals.bits_sum = kept * self._totals.bits_sum + (1 - kept) * bits
        self._totals.bits_weight = kept * self._totals.bits_weight + (1 - kept)

    def _validation_is_due(self) -> bool:
        reached = int(self.fraction / self._job.config.validation_every)
        return reached > self._totals.validations or self.fraction == 1

    def _validate(self) -> float | None:
        start, totals = self._clock(), self._totals
        totals.validations = int(self.fraction / self._job.config.validation_every)
        bits = self._validation.bits_per_character(self._learner.model, self._job.vocabulary)
        totals.without_gain += 1
        if bits is not None and bits < (totals.best_bits or math.inf):
            totals.without_gain = 0
            totals.best_bits = bits
            self._best = under(self._learner.tensors(), "model.")
        totals.longest_validation = max(totals.longest_validation, self._clock() - start)
        self._good = self.checkpoint()
        return bits

    def _go_back(self) -> None:
        """Return to the last validation and halve the learning rate."""
        step = self._totals.step
        if self._totals.rate_factor < 1:
            raise DivergenceError(
                f"training diverged again after {step} updates, at half the learning rate; "
                f"set learning_rate well below {self._job.config.learning_rate:g}"
            )
        self._restore(self._good)
        _log.warning(
            "training diverged after %d updates; back to update %d, learning rate halved",
            step,
            self._totals.step,
        )
        self._totals.rate_factor = 0.5
        self._totals.seconds = self._seconds()


def _engine(
    job: TrainingJob, device: torch.device, group: Group, checkpoint: Checkpoint | None
) -> Engine:
    if checkpoint:
        return continued(checkpoint.values["engine"], job.config, device)
    return engine_for(job.config, job.vocabulary.size, device, group)


def _identity(job: TrainingJob) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    return {
        "config": job.config.to_dict(),
        "vocabulary": zlib.crc32("".join(job.vocabulary.characters).encode("utf-32-le")),
        "stream": zlib.crc32(np.ascontiguousarray(job.stream).data),
    }


def _dropout_seed(config: TrainConfig, step: int) -> int:
    return int(np.random.SeedSequence([config.seed, _DROPOUT, step]).generate_state(1)[0])
