import dataclasses
import math

import numpy as np
import pytest
import torch

from modeling.checkpoint import load_model, save_model
from modeling.config import ModelConfig
from modeling.engines.batches import Batches
from modeling.engines.learner import Learner
from modeling.errors import ConfigError
from modeling.inference.likelihood import bits_of_documents
from modeling.vocab import MARK_ID
from tests.modeling.native.compiler import skip_without_bfloat16

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, params=["kernel", "torch"])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))


def some_batches(stream, batch_size=1):
    return Batches(stream, batch_size=batch_size, chunk_length=16)


@pytest.fixture
def still(config, vocabulary):
    """An exact learner without dropout, for any number of streams, with large weights."""
    model = dataclasses.replace(config.model, dropout=0.0)
    exact = dataclasses.replace(config, model=model, precision="float32")

    def make(batch_size):
        learner = Learner(exact, vocabulary.size, batch_size, CPU)
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
    dense = [weight.grad.flatten() for weight in learner.model.dense_parameters()]
    used = torch.cat(dense).norm().item()
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


NEEDS_GPU = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore:Please use the new API settings to control TF32"),
)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_bfloat16_learns_nearly_what_float32_learns(device, config, vocabulary, stream):
    if device == "cpu":
        skip_without_bfloat16()

    def losses(precision):
        changed = dataclasses.replace(config, precision=precision)
        learner = Learner(changed, vocabulary.size, 4, torch.device(device))
        batches = Batches(stream, batch_size=4, chunk_length=16)
        made = [learner.update(batches.next(step), 0.01, step) for step in range(60)]
        assert all(weight.dtype == torch.float32 for weight in learner.model.parameters())
        return torch.stack(made)[:, 0].cpu()

    exact, rounded = losses("float32"), losses("bfloat16")
    assert not torch.equal(exact, rounded)
    assert rounded[-10:].mean().item() == pytest.approx(exact[-10:].mean().item(), rel=0.05)
    assert rounded[-10:].mean() < 0.8 * rounded[:10].mean()


def test_tied_weights_are_one_matrix_before_and_after_training_and_on_disk(
    config, vocabulary, stream, tmp_path
):
    shape = dataclasses.replace(config.model, embedding_size=16, tied=True)
    config = dataclasses.replace(config, model=shape)
    learner = Learner(config, vocabulary.size, 4, torch.device("cpu"))
    batches = Batches(stream, batch_size=4, chunk_length=16)
    before = learner.model.output.weight.detach().clone()
    for step in range(5):
        learner.update(batches.next(step), 0.01, step)
    model = learner.model
    assert model.embedding.weight is model.output.weight
    assert not torch.equal(model.output.weight, before)
    save_model(tmp_path, config, vocabulary, model)
    loaded, _, _ = load_model(tmp_path)
    assert loaded.embedding.weight is loaded.output.weight
    assert torch.equal(loaded.output.weight, model.output.weight)


def test_tied_weights_of_two_widths_are_refused():
    with pytest.raises(ConfigError, match="embedding_size must equal hidden_size, got 64 and 256"):
        ModelConfig(tied=True)
