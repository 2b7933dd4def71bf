import dataclasses
import itertools

import pytest
import torch

from modeling.config import ModelConfig
from modeling.engines.batches import Batches
from modeling.engines.learner import Learner
from modeling.errors import CapacityError
from modeling.training.throughput import (
    CHARACTERS_PER_PARAMETER,
    Speed,
    best_size,
    measure,
    with_hidden_size,
)

CPU = torch.device("cpu")


def speed(characters_per_second, parameters):
    return Speed(characters_per_second=characters_per_second, parameters=parameters, memory=0)


def test_the_largest_size_that_the_time_can_feed_is_chosen():
    speeds = {128: speed(1000, 1000), 256: speed(400, 4000), 512: speed(100, 16_000)}
    assert best_size(speeds, CHARACTERS_PER_PARAMETER * 1.0) == 128
    assert best_size(speeds, CHARACTERS_PER_PARAMETER * 10.0) == 256
    assert best_size(speeds, CHARACTERS_PER_PARAMETER * 160.0) == 512
    assert best_size(speeds, 0.1) == 128


def ticking():
    """A clock that advances by one second every time it is read."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


def test_the_measured_speed_is_that_of_training_updates(config, vocabulary):
    config = dataclasses.replace(config, model=ModelConfig(embedding_size=8, hidden_size=64))
    found = measure(config, vocabulary.size, CPU, seconds=20, clock=ticking())
    chunk = config.batch_size * config.chunk_length
    assert 0.8 * chunk < found.characters_per_second <= 1.2 * chunk
    learner = Learner(config, vocabulary.size, config.batch_size, CPU)
    assert found.parameters == sum(weight.numel() for weight in learner.model.parameters())
    assert found.memory > 4 * 4 * found.parameters
    wider = measure(with_hidden_size(config, 128), vocabulary.size, CPU, seconds=3, clock=ticking())
    assert wider.parameters > 3 * found.parameters


def test_measuring_takes_about_the_time_it_was_given(config, vocabulary, monkeypatch):
    steps = []
    original = Batches.next
    monkeypatch.setattr(Batches, "next", lambda *a, **k: steps.append(1) or original(*a, **k))
    measure(config, vocabulary.size, CPU, seconds=20, clock=ticking())
    assert 10 < len(steps) < 25


def test_a_chunk_that_does_not_fit_is_said_in_one_line(config, vocabulary, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("can't allocate memory")

    monkeypatch.setattr(Learner, "_loss", full, raising=False)
    with pytest.raises(CapacityError, match="does not fit in the memory"):
        measure(config, vocabulary.size, CPU)
