"""Training speed of this machine, and the model size that suits a budget.

A model too large for its budget is undertrained, one too small lacks capacity. At equal CPU time
the best of several sizes had read about `CHARACTERS_PER_PARAMETER` characters per parameter (see
docs/figures.md).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from modeling.config import TrainConfig
from modeling.engines.batches import Batches
from modeling.engines.cuda_graphs import WARM_UP
from modeling.engines.learner import Learner, updates_between_reads
from modeling.engines.race import engine_for
from modeling.vocab import MARK_ID, SPECIALS

CHARACTERS_PER_PARAMETER = 5
HIDDEN_SIZES = (128, 256, 384, 512, 768, 1024)
_DOCUMENT = 5_000
_STREAM_CHUNKS = 50
_COPIES_OF_WEIGHTS = 6
"""Weights, gradients, two moments, the best weights so far, and a checkpoint being written."""
_COPIES_OF_TABLE = 5
"""The table, its gradients (in torch), the best so far, the last validation's, a checkpoint's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Speed and memory of a training.

    Attributes:
        characters_per_second: measured, without validations and checkpoints.
        parameters: of the model without its table of n-grams, of which a character trains few rows.
        memory: bytes, estimated from the shapes.
    """

    characters_per_second: float
    parameters: int
    memory: int


def measure(
    config: TrainConfig,
    vocabulary_size: int,
    device: torch.device,
    seconds: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Measure the speed of training on random characters.

    Args:
        config: its model and batch shape are measured.
        vocabulary_size: V.
        device: to train on.
        seconds: of the measurement, after some updates to warm up.
        clock: seconds since any fixed moment.

    Raises:
        CapacityError: a batch does not fit in the memory of the device.
        DeviceError: nothing on this machine computes in the precision of the configuration.
    """
    length = max(_DOCUMENT, config.batch_size * config.chunk_length * _STREAM_CHUNKS)
    generator = np.random.default_rng(config.seed)
    stream = generator.integers(SPECIALS, max(vocabulary_size, SPECIALS + 1), length, np.uint16)
    stream[::_DOCUMENT] = MARK_ID
    batches = Batches(stream, batch_size=config.batch_size, chunk_length=config.chunk_length)
    size = max(vocabulary_size, SPECIALS + 1)
    engine = engine_for(config, size, device)
    learner = Learner(config, size, config.batch_size, device, engine=engine, text=stream)
    with engine.in_use():
        pause = updates_between_reads(device)
        rate = _rate(learner, batches, config.learning_rate, pause, seconds, clock)
    model = learner.model
    parameters = sum(weight.numel() for weight in model.dense_parameters())
    table = sum(weight.numel() for weight in model.parameters()) - parameters
    return Speed(
        characters_per_second=rate,
        parameters=parameters,
        memory=_memory(config, vocabulary_size, parameters, table),
    )


def _rate(
    learner: Learner,
    batches: Batches,
    learning_rate: float,
    pause: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Characters per second after the first updates; results are read every `pause` updates."""
    start, step, characters, figures = clock(), 0, 0, torch.zeros(2)
    while step <= WARM_UP + 1 or clock() - start < seconds:
        if step == WARM_UP + 1:
            start, characters = clock(), 0
        batch = batches.next(step)
        figures = learner.update(batch, learning_rate, step)
        step, characters = step + 1, characters + batch.characters
        # Reading waits for the device, so the time is that of complete updates.
        if step <= WARM_UP + 1 or step % pause == 0:
            figures.tolist()
    figures.tolist()
    return characters / (clock() - start)


def _memory(config: TrainConfig, vocabulary_size: int, parameters: int, table: int) -> int:
    """Bytes of all copies of the weights and of the values and gradients of one chunk."""
    shape = config.model
    values = 12 * shape.hidden_size * shape.num_layers + 4 * vocabulary_size
    floats = _COPIES_OF_WEIGHTS * parameters + _COPIES_OF_TABLE * table
    return 4 * (floats + values * config.batch_size * config.chunk_length)


def with_hidden_size(config: TrainConfig, hidden_size: int) -> TrainConfig:
    """Change the hidden size of a configuration."""
    return replace(config, model=replace(config.model, hidden_size=hidden_size))


def best_size(speeds: Mapping[int, Speed], seconds: float) -> int:
    """Choose the largest hidden size that reads enough characters in `seconds`, or the smallest."""
    fed = [
        size
        for size, speed in speeds.items()
        if speed.characters_per_second * seconds >= CHARACTERS_PER_PARAMETER * speed.parameters
    ]
    return max(fed, default=min(speeds))
