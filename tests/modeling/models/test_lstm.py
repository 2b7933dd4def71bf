import itertools
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from modeling.config import ModelConfig
from modeling.models import MODELS, build_model
from modeling.vocab import MARK_ID

SHAPES = [
    ModelConfig(embedding_size=5, hidden_size=8, num_layers=layers, output_norm=norm, skip=skip)
    for layers, norm, skip in itertools.product((1, 3), (False, True), (False, True))
]
SHAPES.append(ModelConfig(embedding_size=5, hidden_size=8, ngram_order=4, ngram_rows=30))


def some_model(shape):
    """A model whose weights half precision holds exactly, as the kernel reads them one by one."""
    model = build_model(shape, 12).eval()
    for weight in model.parameters():
        weight.data = weight.data.half().float()
    if model.ngrams is not None:
        torch.nn.init.normal_(model.ngrams.table)
    return model


def some_ids(batch_size, length):
    return torch.randint(1, 12, (batch_size, length), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_chunks_with_carried_state_equal_one_long_chunk(architecture, shape):
    model = some_model(replace(shape, architecture=architecture))
    ids = some_ids(3, 20)
    whole, end = model(ids)
    first, state = model(ids[:, :7])
    second, state = model(ids[:, 7:], state)
    assert whole.shape == (3, 20, 12)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole)
    torch.testing.assert_close(state, end)


@pytest.fixture(params=["kernel", "torch"])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stepping_equals_the_forward_pass_of_torch(shape):
    model = some_model(shape)
    ids = some_ids(4, 15)
    stepper = model.stepper(4)
    stepped = torch.stack([stepper.step(column) for column in ids.t()], dim=1)
    torch.testing.assert_close(stepped, model(ids)[0].detach())


@pytest.mark.usefixtures("engine")
def test_a_mark_sets_the_stepper_back_to_zero_state_in_its_stream_only():
    model = some_model(SHAPES[-1])
    stepper = model.stepper(2)
    stepper.step(torch.tensor([3, 4]))
    marked = stepper.step(torch.tensor([MARK_ID, 5]))
    fresh = model(torch.tensor([[MARK_ID]]))[0][0, 0]
    going_on = model(torch.tensor([[4, 5]]))[0][0, 1]
    torch.testing.assert_close(marked, torch.stack((fresh, going_on)).detach())


def test_dropout_acts_in_training_only():
    model = build_model(ModelConfig(hidden_size=8, num_layers=2, dropout=0.5), 12)
    ids = some_ids(2, 5)
    assert not model(ids)[0].equal(model(ids)[0])
    model.eval()
    assert model(ids)[0].equal(model(ids)[0])


def test_the_model_learns_200_characters_by_heart():
    torch.manual_seed(0)
    model = build_model(ModelConfig(embedding_size=16, hidden_size=48), 12)
    ids = some_ids(10, 21)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = torch.zeros(())
    for _ in range(150):
        logits, _ = model(ids[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_an_unknown_architecture_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown architecture 'rnn'; known: lstm"):
        build_model(ModelConfig(architecture="rnn"), 12)
