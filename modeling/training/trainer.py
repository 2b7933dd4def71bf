"""Training as a generator of progress that can be stopped and resumed anywhere.

`Trainer.run` yields a record after every update (every 16 on a GPU, which must not wait for its
host); between two records `checkpoint` takes the whole state. A trainer made from a checkpoint
goes on as if nothing had been: with a budget of characters or epochs the final weights are equal
bit for bit on the same CPU, torch version and number of threads. With a budget of seconds the
learning rate follows the clock, and no two runs are equal. What computes, and on how many threads,
is chosen by measuring at the start and then part of the checkpoint.

Nothing random is saved: order, jumps and dropout are functions of the seed and the step.
"""

import copy
import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modeling.checkpoint import Checkpoint
from modeling.config import TrainConfig
from modeling.engines.batches import Batches, Cursor
from modeling.engines.distributed import ALONE, Group
from modeling.engines.learner import Learner, under, updates_between_reads
from modeling.engines.race import continued, engine_for
from modeling.models.lstm import CharLSTM
from modeling.training.fine_tune import take_over
from modeling.training.progress import CurvePoint, Totals
from modeling.training.schedule import learning_rate_at
from modeling.training.validation import Validation
from modeling.vocab import Ids, Vocabulary

_SMOOTHING = 0.99
_JUMPING_EPOCHS = 2
"""Jumps gained .03 bits where the budget covered one epoch; at three and more none was measured."""
_DROPOUT = 2
"""Apart from the other two uses of the seed, in `batches`."""

_log = logging.getLogger(__name__)


def _batches(config: TrainConfig, stream: Ids) -> Batches:
    batches = Batches(
        stream,
        batch_size=config.batch_size,
        chunk_length=config.chunk_length,
        jump_probability=config.jump_probability,
        seed=config.seed,
    )
    if batches.batch_size < config.batch_size:
        _log.info("a small corpus: %d streams side by side", batches.batch_size)
    return batches


def _identity(config: TrainConfig, vocabulary: Vocabulary, stream: Ids) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    return {
        "config": config.to_dict(),
        "vocabulary": zlib.crc32("".join(vocabulary.characters).encode("utf-32-le")),
        "stream": zlib.crc32(np.ascontiguousarray(stream).data),
    }


class Trainer:
    """One training run."""

    def __init__(
        self,
        config: TrainConfig,
        vocabulary: Vocabulary,
        stream: Ids,
        validation: Sequence[Ids],
        *,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
        checkpoint: Checkpoint | None = None,
        initial: tuple[CharLSTM, Vocabulary] | None = None,
        group: Group = ALONE,
    ) -> None:
        """Begin a run, or resume it.

        Args:
            config: of the run.
            vocabulary: the one that made the ids.
            stream: the training documents, each with its mark in front, (N,) uint16.
            validation: documents, each beginning with MARK_ID; may be empty.
            device: to train on.
            clock: seconds since any moment.
            checkpoint: of a run with the same configuration and data.
            initial: a model to begin with, and its vocabulary; for fine-tuning.
            group: the processes that train together; all must call the same methods.

        Raises:
            ValueError: there is too little text, the checkpoint is of another run, or the model
                to begin with has another shape.
        """
        self._config = config
        self._vocabulary = vocabulary
        self._validation = Validation(validation, config.validation_characters)
        self._clock = group.shared(clock)
        self._batches = _batches(config, stream)
        streams = self._batches.batch_size
        group.check(streams)
        self.engine = (
            continued(checkpoint.values["engine"], config, device)
            if checkpoint
            else engine_for(config, vocabulary.size, device, group)
        )
        """What computes."""
        self._learner = Learner(
            config, vocabulary.size, streams, device, group, engine=self.engine, text=stream
        )
        if initial is not None:
            strange = take_over(self._learner.model, vocabulary, *initial)
            _log.info("begins with given weights; %d characters are new to them", strange)
        self._updates_per_record = updates_between_reads(device)
        self._characters_per_epoch = len(stream)
        self._identity = _identity(config, vocabulary, stream)
        self._account = Totals()
        self._rate = 0.0
        self._best: dict[str, Tensor] = {}
        if checkpoint is not None:
            self._restore(checkpoint)
        self._good = self.checkpoint()

    @property
    def fraction(self) -> float:
        """Of the budget that is spent, 0 to 1."""
        budget, account = self._config.budget, self._account
        if budget.seconds is not None:
            # The validation after the last update belongs to the budget too.
            training = max(budget.seconds - account.longest_validation, budget.seconds / 2)
            return min(1.0, account.seconds / training)
        return min(1.0, account.characters / self._characters_in_all())

    @property
    def has_ended(self) -> bool:
        """Whether the budget is spent, or patience with a model that no longer gains."""
        patience = self._config.patience
        return self.fraction == 1 or 0 < patience <= self._account.without_gain

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(weight.numel() for weight in self._learner.model.parameters())

    @property
    def totals(self) -> Totals:
        """The numbers of the run so far, a copy."""
        return copy.copy(self._account)

    def run(self) -> Iterator[CurvePoint]:
        """Train until `has_ended`; the time that the consumer takes counts as well.

        Raises:
            ValueError: training diverged for the second time, or a batch does not fit in memory.
        """
        with self.engine.in_use():
            yield from self._records()

    def _records(self) -> Iterator[CurvePoint]:
        origin = self._clock() - self._account.seconds
        earlier, trained = self._account.seconds, 0
        while not self.has_ended:
            before = self._account.characters
            nats, norms = self._updates(origin)
            if not torch.isfinite(nats + norms).all():
                self._go_back(origin)
                continue
            characters = self._account.characters - before
            trained += characters
            self._smooth(nats, characters)
            validation_bits = self._validate() if self._validation_is_due() else None
            self._account.seconds = self._clock() - origin
            speed = trained / max(self._account.seconds - earlier, 1e-9)
            yield self._progress(validation_bits, float(norms[-1]), speed)

    def checkpoint(self) -> Checkpoint:
        """Copy the whole state of the run; between two records only."""
        tensors = self._learner.tensors()
        cursor = self._batches.cursor
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        tensors["cursor.position"] = torch.from_numpy(cursor.position)
        tensors["cursor.end"] = torch.from_numpy(cursor.end)
        values = {
            "identity": self._identity,
            "engine": asdict(self.engine),
            "account": asdict(self._account),
            "pieces_taken": cursor.taken,
        }
        return Checkpoint(tensors=tensors, values=values)

    def best_model(self) -> CharLSTM:
        """A copy of the model with the fewest validation bits so far, ready to score and sample.

        Without validation documents it is the model as it is now.
        """
        model = self._learner.model.copied()
        if self._best:
            model.load_state_dict(self._best)
        return model.eval()

    def _restore(self, checkpoint: Checkpoint) -> None:
        identity: dict[str, Any] = checkpoint.values["identity"]
        other = [key for key in self._identity if identity.get(key) != self._identity[key]]
        if other:
            raise ValueError(f"the checkpoint is of another run: its {other[0]} is not this one's")
        self._learner.load(checkpoint.tensors)
        self._best = under(checkpoint.tensors, "best.")
        self._account = Totals(**checkpoint.values["account"])
        cursor = under(checkpoint.tensors, "cursor.")
        self._batches.cursor = Cursor(
            position=cursor["position"].numpy(),
            end=cursor["end"].numpy(),
            taken=checkpoint.values["pieces_taken"],
        )

    def _updates(self, origin: float) -> tuple[Tensor, Tensor]:
        """Train up to the next record; negative log probabilities and norms, (n,) each."""
        results: list[Tensor] = []
        while len(results) < self._updates_per_record and (fraction := self.fraction) < 1:
            account = self._account
            batch = self._batches.next(account.step, jump=self._is_short())
            seeds = np.random.SeedSequence([self._config.seed, _DROPOUT, account.step])
            dropout_seed = int(seeds.generate_state(1)[0])
            self._rate = account.rate_factor * learning_rate_at(self._config, fraction)
            results.append(self._learner.update(batch, self._rate, dropout_seed))
            account.step += 1
            account.characters += batch.characters
            account.seconds = self._clock() - origin
        nats, norms = torch.stack(results).cpu().unbind(dim=1)
        return nats, norms

    def _characters_in_all(self) -> int:
        """Of a budget that is not in seconds."""
        budget = self._config.budget
        return budget.characters or max(1, round((budget.epochs or 0) * self._characters_per_epoch))

    def _is_short(self) -> bool:
        """Whether the budget covers less than `_JUMPING_EPOCHS`, as it looks so far."""
        enough = _JUMPING_EPOCHS * self._characters_per_epoch
        if self._config.budget.seconds is None:
            return self._characters_in_all() < enough
        return self._account.characters <= self.fraction * enough

    def _smooth(self, nats: Tensor, characters: int) -> None:
        kept = _SMOOTHING ** len(nats)
        bits = float(nats.double().sum()) / math.log(2) / characters
        self._account.bits_sum = kept * self._account.bits_sum + (1 - kept) * bits
        self._account.bits_weight = kept * self._account.bits_weight + (1 - kept)

    def _validation_is_due(self) -> bool:
        reached = int(self.fraction / self._config.validation_every)
        return reached > self._account.validations or self.fraction == 1

    def _validate(self) -> float | None:
        began, account = self._clock(), self._account
        account.validations = int(self.fraction / self._config.validation_every)
        bits = self._validation.bits_per_character(self._learner.model, self._vocabulary)
        account.without_gain += 1
        if bits is not None and bits < (account.best_bits or math.inf):
            account.without_gain = 0
            account.best_bits = bits
            self._best = under(self._learner.tensors(), "model.")
        account.longest_validation = max(account.longest_validation, self._clock() - began)
        self._good = self.checkpoint()
        return bits

    def _go_back(self, origin: float) -> None:
        """Return to the last validation with half the learning rate."""
        step = self._account.step
        if self._account.rate_factor < 1:
            raise ValueError(
                f"training diverged again after {step} updates, at half the learning rate; "
                f"set learning_rate well below {self._config.learning_rate:g}"
            )
        self._restore(self._good)
        _log.warning(
            "training diverged after %d updates; back to update %d, learning rate halved",
            step,
            self._account.step,
        )
        self._account.rate_factor = 0.5
        self._account.seconds = self._clock() - origin

    def _progress(self, validation_bits: float | None, norm: float, speed: float) -> CurvePoint:
        account = self._account
        return CurvePoint(
            step=account.step,
            characters=account.characters,
            seconds=account.seconds,
            fraction=self.fraction,
            train_bits=account.bits_sum / account.bits_weight,
            validation_bits=validation_bits,
            learning_rate=self._rate,
            gradient_norm=norm,
            characters_per_second=speed,
        )
