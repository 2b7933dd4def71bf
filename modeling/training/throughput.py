"""How fast this machine trains, and which size of model a budget can feed.

A model too large for its budget is trained too little, one too small has no room for what it reads.
At equal CPU time the best of several sizes had read about `CHARACTERS_PER_PARAMETER` characters for
each of its parameters; more in docs/figures.md.
"""

import time
from collections.abc import Mapping
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
"""Weights, gradient, two moments, the best weights so far, and those of a checkpoint on its way."""
_COPIES_OF_TABLE = 6
"""The table, its gradients, its best so far, those of the last validation, of a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What one training needs.

    Attributes:
        characters_per_second: measured, without validations and checkpoints.
        parameters: of the model, its table of n-grams aside: a character trains few of its rows.
        memory: bytes, estimated from the shapes.
    """

    characters_per_second: float
    parameters: int
    memory: int


def measure(
    config: TrainConfig, vocabulary_size: int, device: torch.device, seconds: float = 1.0
) -> Speed:
    """Train on random characters for a moment.

    Args:
        config: its shape of model and batch count.
        vocabulary_size: V.
        device: to train on.
        seconds: how long, after some updates to warm up.

    Raises:
        ValueError: a batch does not fit in the memory of the device.
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
        rate = _rate(learner, batches, config.learning_rate, pause, seconds)
    model = learner.model
    parameters = sum(weight.numel() for weight in model.dense_parameters())
    table = sum(weight.numel() for weight in model.parameters()) - parameters
    return Speed(
        characters_per_second=rate,
        parameters=parameters,
        memory=_memory(config, vocabulary_size, parameters, table),
    )


def _rate(
    learner: Learner, batches: Batches, learning_rate: float, pause: int, seconds: float
) -> float:
    """Characters a second after the first updates, the figures read after every `pause` of them."""
    began, step, characters, figures = time.perf_counter(), 0, 0, torch.zeros(2)
    while step <= WARM_UP + 1 or time.perf_counter() - began < seconds:
        if step == WARM_UP + 1:
            began, characters = time.perf_counter(), 0
        batch = batches.next(step)
        figures = learner.update(batch, learning_rate, step)
        step, characters = step + 1, characters + batch.characters
        # Reading them waits for the device, so the time is that of whole updates.
        if step <= WARM_UP + 1 or step % pause == 0:
            figures.tolist()
    figures.tolist()
    return characters / (time.perf_counter() - began)


def _memory(config: TrainConfig, vocabulary_size: int, parameters: int, table: int) -> int:
    """Bytes of all copies of the weights, and of one chunk's values and gradients."""
    shape = config.model
    values = 12 * shape.hidden_size * shape.num_layers + 4 * vocabulary_size
    floats = _COPIES_OF_WEIGHTS * parameters + _COPIES_OF_TABLE * table
    return 4 * (floats + values * config.batch_size * config.chunk_length)


def with_hidden_size(config: TrainConfig, hidden_size: int) -> TrainConfig:
    """The same training of a wider or narrower model."""
    return replace(config, model=replace(config.model, hidden_size=hidden_size))


def best_size(speeds: Mapping[int, Speed], seconds: float) -> int:
    """Of the hidden sizes measured, the largest that so much time can feed; else the smallest."""
    fed = [
        size
        for size, speed in speeds.items()
        if speed.characters_per_second * seconds >= CHARACTERS_PER_PARAMETER * speed.parameters
    ]
    return max(fed, default=min(speeds))
