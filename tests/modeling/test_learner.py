import dataclasses
import math

import numpy as np
import pytest
import torch

from modeling.batches import Batches
from modeling.learner import Learner
from modeling.likelihood import bits_of_documents
from modeling.vocab import MARK_ID

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, params=["kernel", "torch"])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))


def some_batches(stream, batch_size=1):
    return Batches(stream, batch_size=batch_size, chunk_length=16)


@pytest.fixture
def still(config, vocabulary):
    """A learner without dropout, of any number of streams, with large weights."""
    model = dataclasses.replace(config.model, dropout=0.0)

    def make(batch_size):
        learner = Learner(
            dataclasses.replace(config, model=model), vocabulary.size, batch_size, CPU
        )
        with torch.no_grad():
            for parameter in learner.model.parameters():
                parameter.mul_(3)
        return learner

    return make


def test_what_is_trained_is_what_is_scored(still, vocabulary, documents, stream):
    """An epoch at learning rate 0 costs the bits of all documents with their closing marks."""
    learner, batches = still(1), some_batches(stream)
    nats, characters = 0.0, 0
    while characters < len(stream):
        batch = batches.next(0)
        nats += learner.update(batch, 0.0, 0)[0].item()
        characters += batch.characters
    closed = [np.append(document, np.uint16(MARK_ID)) for document in documents]
    bits = bits_of_documents(learner.model, vocabulary, closed).sum()
    assert characters == len(stream)
    assert nats / math.log(2) == pytest.approx(bits, rel=1e-5)


def test_a_gradient_is_the_mean_over_trained_characters_clipped(still, stream):
    learner, batch = still(4), some_batches(stream, 4).next(0)
    norm = learner.update(batch, 0.0, 0)[1]
    used = torch.cat([p.grad.flatten() for p in learner.model.parameters()]).norm().item()
    assert norm > 1
    assert used == pytest.approx(1.0, abs=1e-3)


def test_one_state_can_be_gone_back_to_many_times(config, vocabulary, stream):
    learner = Learner(config, vocabulary.size, 4, CPU)
    batches = some_batches(stream, 4)
    chunks = [batches.next(step) for step in range(8)]
    for seed, chunk in enumerate(chunks[:4]):
        learner.update(chunk, 0.01, seed)
    start, ends = learner.tensors(), []
    for _ in range(3):
        learner.load(start)
        for seed, chunk in enumerate(chunks[4:]):
            learner.update(chunk, 0.01, seed)
        ends.append(learner.tensors())
    for end in ends[1:]:
        assert end.keys() == ends[0].keys()
        assert all(torch.equal(end[name], ends[0][name]) for name in end)
