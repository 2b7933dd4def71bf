import dataclasses
import itertools
import os
import platform

import numpy as np
import pytest
import torch

from modeling.engines.engine import Engine
from modeling.engines.learner import Learner
from modeling.inference.likelihood import surprisals
from modeling.models import build_model
from modeling.models.native_lstm import NativeLSTM
from modeling.native import library as library_module
from modeling.native.library import library
from modeling.native.loss import ChunkLoss
from modeling.native.threads import share
from modeling.vocab import SPECIALS
from tests.modeling.chunks import (
    SHAPES,
    SIZE,
    assert_close,
    assert_rounds_as_torch_does,
    loss_by,
    loss_by_kernel,
    loss_by_torch,
    mixed_loss_by_kernel,
    outcome,
    some_chunk,
    some_model,
)
from tests.modeling.native.compiler import needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_loss_state_and_gradients_are_those_of_torch(shape):
    chunk = some_chunk(shape)
    assert_close(*(outcome(price, shape, chunk) for price in (loss_by_kernel, loss_by_torch)))


@pytest.fixture(params=["-mno-avx512bf16", "-mno-avx512f", "-mno-avx"])
def narrower(request, tmp_path, monkeypatch):
    """The kernel as built for a processor with narrower vectors, which has other tiles."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("such options are those of x86-64")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", f"{os.environ.get('CC', 'cc')} {request.param}")
    library_module._loaded.cache_clear()
    yield
    library_module._loaded.cache_clear()


@pytest.mark.usefixtures("narrower")
def test_narrower_vectors_compute_the_same():
    for shape in SHAPES[2:6]:
        chunk = some_chunk(shape)
        prices = (loss_by_kernel, loss_by_torch)
        assert_close(*(outcome(price, shape, chunk) for price in prices))
        assert_rounds_as_torch_does(shape)


@pytest.mark.parametrize(
    ("streams", "length"),
    [(1, 1), (1, 300), (2, 7), (64, 3), (7, 40), *((rows, 2) for rows in range(3, 14))],
)
def test_a_chunk_may_have_any_shape(streams, length):
    chunk = some_chunk(SHAPES[2], streams, length)
    chunk[1][-1] = 3
    assert_close(*(outcome(price, SHAPES[2], chunk) for price in (loss_by_kernel, loss_by_torch)))


def test_chunks_of_different_shapes_may_follow_each_other():
    model, loss_of = some_model(SHAPES[1]), ChunkLoss(library(), 0.0)
    for shape in ((3, 8), (5, 4), (5, 4), (3, 8)):
        chunk = some_chunk(SHAPES[1], *shape)
        wanted = loss_by_torch(model, *chunk)[0].item()
        assert loss_by(loss_of, model, *chunk)[0].item() == pytest.approx(wanted, rel=1e-5)


def test_one_loss_is_differentiated_at_a_time():
    model, loss_of = some_model(SHAPES[1]), ChunkLoss(library(), 0.0)
    first, _ = loss_by(loss_of, model, *some_chunk(SHAPES[1]))
    loss_by(loss_of, model, *some_chunk(SHAPES[1]))
    with pytest.raises(RuntimeError, match="another chunk"):
        first.backward()


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_number_of_threads_does_not_change_a_bit(shape, mixed, many_threads):
    model, (ids, targets, (hidden, cell, before)) = some_model(shape).eval(), some_chunk(shape)
    loss_of = ChunkLoss(library(), 0.0, mixed=mixed)
    outcomes = []
    for number in (1, 2, 5):
        weights, rows, _ = model.native().weights_for(ids, before)
        many_threads(number)
        loss, state = loss_of(weights, rows, targets, (hidden, cell))
        given = [weights.table, weights.output_bias, *weights.matrices]
        given += [weights.input, weights.direct] if shape.direct else []
        given += [weights.biases] * (len(weights.biases) > 0) + [weights.gain] * shape.output_norm
        outcomes.append([loss, *state, *torch.autograd.grad(loss, given)])
        many_threads(1)
    for one, *others in zip(*outcomes, strict=True):
        assert all(torch.equal(one, other) for other in others)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_logits_of_a_stream_do_not_depend_on_the_streams_beside_it(shape):
    model = some_model(shape).eval()
    ids = torch.randint(SIZE, (6, 40), generator=torch.Generator().manual_seed(4))
    many = model.stepper(40)
    fewer = {first: model.stepper(last - first) for first, last in itertools.pairwise(ENDS)}
    for column in ids:
        logits = many.step(column)
        for first, last in itertools.pairwise(ENDS):
            assert fewer[first].step(column[first:last]).equal(logits[first:last])


ENDS = (0, 1, 3, 6, 10, 15, 21, 40)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reading_one_character_at_a_time_differs_from_float32_by_half_precision_weights(shape):
    model = some_model(shape).eval()
    ids = torch.randint(SPECIALS, SIZE, (3, 30), generator=torch.Generator().manual_seed(5))
    stepper = model.stepper(3)
    read = torch.stack([stepper.step(column) for column in ids.t()], dim=1)
    torch.testing.assert_close(read, model(ids)[0], rtol=2e-3, atol=2e-3)


def test_weights_that_half_precision_lacks_are_bounded():
    model = some_model(SHAPES[2]).eval()
    with torch.no_grad():
        model.output.weight[:] = 1e6
    stepper = model.stepper(1)
    assert stepper.step(torch.tensor([5])).isfinite().all()


def test_updates_of_the_learner_are_those_of_torch(config, vocabulary, stream, monkeypatch):
    from modeling.engines.batches import Batches

    def trained():
        exact = dataclasses.replace(config, precision="float32")
        learner = Learner(exact, vocabulary.size, 4, torch.device("cpu"))
        batches = Batches(stream, batch_size=4, chunk_length=16)
        return [learner.update(batches.next(step), 1e-3, step) for step in range(8)]

    by_kernel = trained()
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    assert_close(by_kernel, trained())


def test_surprisals_are_those_of_torch(model, vocabulary, documents, monkeypatch):
    def scored():
        return [bits for _, bits in surprisals(model, vocabulary, documents, batch_size=5)]

    by_kernel = scored()
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    for one, other in zip(by_kernel, scored(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_saturated_gates_and_extreme_logits_are_priced_as_by_torch():
    model = some_model(SHAPES[0])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(300)
    chunk = some_chunk(SHAPES[0])
    wanted = loss_by_torch(model, *chunk)[0].item()
    assert wanted > 5e4
    assert loss_by_kernel(model, *chunk)[0].item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["embedding.weight", "layers.0.weight_hh_l0", "output.weight"])
@pytest.mark.parametrize("price", [loss_by_kernel, mixed_loss_by_kernel])
def test_what_is_not_a_number_is_not_hidden(name, wrong, price):
    model = some_model(SHAPES[2])
    with torch.no_grad():
        model.get_parameter(name)[:] = wrong
    loss, _ = price(model, *some_chunk(SHAPES[2]))
    assert torch.isfinite(loss) == torch.isfinite(loss_by_torch(model, *some_chunk(SHAPES[2]))[0])


def evaluated(x):
    results = torch.empty(3, len(x))
    library().evaluate(len(x), x.data_ptr(), *(result.data_ptr() for result in results))
    return results


def test_exp_sigmoid_and_tanh_err_by_the_documented_figures_at_most():
    x = torch.cat([torch.linspace(-87, 87, 400_001), torch.logspace(-30, 1.9, 100_000)])
    x = torch.cat((x, -x[400_001:]))
    x = x[x != 0]  # in the middle of linspace, on some processors
    exact = x.double()
    wanted = torch.stack((exact.exp(), exact.sigmoid(), exact.tanh()))
    differences = (evaluated(x) - wanted).abs()
    near = x.abs() <= 43
    for error, most in zip(differences / wanted, (2e-7, 4e-7, 4e-7), strict=True):
        assert error[near].max() < most
    for error, most in zip(differences / wanted, (2e-7, torch.inf, 4e-7), strict=True):
        assert error[~near].max() < most
    assert differences[1][~near].max() < 3e-19


def test_exp_sigmoid_and_tanh_keep_nan_and_take_infinities():
    exp, sigmoid, tanh = evaluated(torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30, -1e30]))
    for result in (exp, sigmoid, tanh):
        assert result[0].isnan()
    assert exp[1] > 1e37 > 1e-37 > exp[2]
    assert sigmoid[1:].tolist() == pytest.approx([1, 0, 1, 0], abs=3e-19)
    assert tanh[1:].tolist() == [1, -1, 1, -1]


def test_work_is_shared_out_whole_and_errors_come_back(many_threads):
    many_threads(3)
    done = []
    share(10, lambda first, last: done.extend(range(first, last)), 1e9)
    assert sorted(done) == list(range(10))

    def fail(first, last):
        if last == 10:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        share(10, fail, 1e9)


def test_another_device_or_number_type_is_left_to_torch():
    model = build_model(dataclasses.replace(SHAPES[0], skip=True), SIZE)
    assert isinstance(model.native(), NativeLSTM)
    assert model.to(torch.float64).native() is None
    assert model.to(torch.float32).to("meta").native() is None


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("streams", [1, 4, 6, 7, 12, 13, 64])
def test_wide_tiles_compute_the_same_bits(mixed, streams):
    price = mixed_loss_by_kernel if mixed else loss_by_kernel
    outcomes = []
    for wide in (False, True):
        with Engine(native=True, precision="float32", wide_tiles=wide).in_use():
            outcomes.append(outcome(price, SHAPES[2], some_chunk(SHAPES[2], streams, 5)))
    for one, other in zip(*outcomes, strict=True):
        assert torch.equal(one, other)
