"""An architecture is one file and one line: a GRU without a native kernel works everywhere."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from modeling.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.engines.race import engine_for
from modeling.errors import ConfigError, DeviceError
from modeling.inference.dynamic_evaluation import chosen_adaptation, dynamic_surprisals
from modeling.inference.likelihood import bits_of_documents, surprisals
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.models import MODELS, build_model
from modeling.training.fine_tune import take_over
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import MARK_ID, Vocabulary
from tests.modeling.models.gru import CharGRU

CPU = torch.device("cpu")
SHAPE = ModelConfig(
    architecture="gru", embedding_size=8, hidden_size=24, num_layers=2, ngram_order=3, ngram_rows=50
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(MODELS, "gru", CharGRU)


@pytest.fixture
def gru(vocabulary):
    torch.manual_seed(2)
    model = build_model(SHAPE, vocabulary.size)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
        model.ngrams.table.normal_()
    return model.eval()


@pytest.fixture
def job(config, vocabulary, stream, documents):
    config = dataclasses.replace(config, model=dataclasses.replace(SHAPE, dropout=0.2))
    return TrainingJob(
        config=config, vocabulary=vocabulary, stream=stream, validation=documents[:4]
    )


@pytest.mark.slow  # eight seconds
def test_it_learns_two_hundred_characters_by_heart():
    text = "".join(chr(97 + (i * i + i // 7) % 26) for i in range(200))
    vocabulary = Vocabulary(tuple(sorted(set(text))))
    (document,) = vocabulary.encode_documents([text])
    config = TrainConfig(
        model=ModelConfig(architecture="gru", embedding_size=16, hidden_size=64),
        budget=Budget(epochs=250),
        batch_size=1,
        chunk_length=50,
        learning_rate=0.01,
    )
    job = TrainingJob(config=config, vocabulary=vocabulary, stream=document, validation=[])
    trainer = Trainer(job, device=CPU)
    list(trainer.run())
    bits = bits_of_documents(trainer.best_model(), vocabulary, [document]).sum()
    assert bits < 0.2 * 200 * math.log2(26)


def test_an_interrupted_training_ends_with_the_same_bits(job, tmp_path):
    straight = Trainer(job, device=CPU)
    list(straight.run())
    interrupted = Trainer(job, device=CPU)
    list(itertools.islice(interrupted.run(), 7))
    save_checkpoint(tmp_path, interrupted.checkpoint())
    resumed = Trainer(job, device=CPU, checkpoint=load_checkpoint(tmp_path))
    list(resumed.run())
    ours, theirs = straight.checkpoint().tensors, resumed.checkpoint().tensors
    assert ours.keys() == theirs.keys()
    assert "state.hidden" in ours
    assert "state.cell" not in ours
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_it_is_loaded_as_it_was_saved(gru, vocabulary, tmp_path):
    save_model(tmp_path, TrainConfig(model=SHAPE), vocabulary, gru)
    loaded, _, config = load_model(tmp_path)
    assert type(loaded) is CharGRU
    assert config.model == SHAPE
    ours, theirs = gru.state_dict(), loaded.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_its_stepper_gives_the_logits_of_its_forward(gru, vocabulary):
    """Two documents in one stream: the mark resets the state of its stream only."""
    torch.manual_seed(1)
    first, second, other = torch.randint(2, vocabulary.size, (3, 9))
    first[0] = second[0] = other[0] = MARK_ID
    stepper = gru.stepper(2)
    streams = torch.stack((torch.cat((first, second)), torch.cat((other, other[1:], other[1:2]))))
    logits = torch.stack([stepper.step(ids) for ids in streams.t()], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(logits[0, 9:], gru(second[None])[0][0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logits[1], gru(streams[1:])[0][0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("top_k", [None, 3])
def test_the_likeliest_characters_are_those_of_its_forward(gru, vocabulary, top_k):
    settings = SamplingSettings(length=20, temperature=0, prompt="def", top_k=top_k)
    (drawn,) = np.concatenate(list(sample(gru, vocabulary, [1], settings)), axis=1)
    ids = np.concatenate([vocabulary.encode_documents(["def"])[0], drawn]).astype(np.int64)
    for place in range(4, len(ids)):
        if MARK_ID in ids[4:place]:
            break
        logits = gru(torch.from_numpy(ids[None, :place]))[0][0, -1]
        assert logits[ids[place]] >= logits[2:].max() - 1e-4


def test_its_bits_are_those_of_its_forward_and_adapt(gru, vocabulary, documents):
    scored = dict(surprisals(gru, vocabulary, documents[:3], chunk_length=17))
    ids = torch.from_numpy(documents[1].astype(np.int64))[None]
    with torch.no_grad():
        wanted = -gru(ids[:, :-1])[0][0].log_softmax(1).gather(1, ids[0, 1:, None])[:, 0]
    np.testing.assert_allclose(scored[1] * math.log(2), wanted.numpy(), atol=1e-4)
    repeated = [documents[1]] * 4
    adaptation = chosen_adaptation(gru, vocabulary, documents[2:3], characters=200)
    first, *_, last = dynamic_surprisals(gru, vocabulary, repeated, adaptation)
    assert last.sum() < first.sum()


def test_its_weights_move_with_their_characters(gru, vocabulary):
    reversed_ids = Vocabulary(vocabulary.characters[::-1])
    target = build_model(SHAPE, reversed_ids.size)
    assert take_over(target, reversed_ids, gru, vocabulary) == 0
    assert target.embedding.weight[2].equal(gru.embedding.weight[-1])
    assert target.layers[1].weight_hh_l0.equal(gru.layers[1].weight_hh_l0)


def test_torch_computes_it_in_float32(job, tmp_path):
    engine = engine_for(job.config, job.vocabulary.size, CPU, cache=tmp_path)
    assert str(engine) == "torch, float32"
    rounded = dataclasses.replace(job.config, precision="bfloat16")
    with pytest.raises(DeviceError, match="torch does not train gru in it"):
        engine_for(rounded, job.vocabulary.size, CPU, cache=tmp_path)


def test_an_architecture_that_is_not_registered_is_the_users_mistake(vocabulary):
    with pytest.raises(ConfigError, match="unknown architecture 'rnn'; known: lstm, gru"):
        build_model(dataclasses.replace(SHAPE, architecture="rnn"), vocabulary.size)
