"""Ids, shapes and types that do not fit never reach the kernel, which would read out of bounds."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from modeling.models.native_lstm import NativeLSTM
from modeling.native.buffers import Buffers
from modeling.native.library import library
from modeling.native.scoring import nats_of
from modeling.native.weights import PackedWeights
from tests.modeling.chunks import SHAPES, SIZE, loss_by_kernel, some_chunk, some_model
from tests.modeling.native.compiler import needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("wrong", [-1, SIZE, 2**40])
def test_an_id_out_of_range_is_not_read(wrong):
    ids, targets, state = some_chunk(SHAPES[1])
    ids[3, 4] = wrong
    with pytest.raises(IndexError, match=rf"ids from .*{wrong}.*, not in range\({SIZE}\)"):
        loss_by_kernel(some_model(SHAPES[1]), ids, targets, state)
    with pytest.raises(IndexError):
        some_model(SHAPES[1]).stepper(2).step(torch.tensor([0, wrong]))


def test_a_target_out_of_range_is_not_priced():
    ids, targets, state = some_chunk(SHAPES[1])
    targets[3, 4] = SIZE
    with pytest.raises(IndexError, match=f"target {SIZE}, of {SIZE} ids"):
        loss_by_kernel(some_model(SHAPES[1]), ids, targets, state)


def some_native():
    kernel = library()
    assert kernel is not None
    return NativeLSTM(some_model(SHAPES[1]), kernel)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda ids, targets: (ids.int(), targets),
        lambda ids, targets: (ids, targets.int()),
        lambda ids, targets: (ids.double(), targets),
        lambda ids, targets: (ids, targets[:, :-1]),
        lambda ids, targets: (ids[:1], targets),
        lambda ids, targets: (ids[:, :0], targets[:, :0]),
        lambda ids, targets: (ids.flatten(), targets),
    ],
)
def test_characters_of_another_shape_or_type_are_not_read(wrong):
    ids, targets, _ = some_chunk(SHAPES[1])
    native = some_native()
    buffers = Buffers(native._kernel, native.packed(), *ids.shape, keep=True)
    with pytest.raises(ValueError, match=r"ids|targets"):
        buffers.put(*wrong(ids, targets))


def test_a_state_of_another_shape_or_type_is_not_read():
    ids, _, _ = some_chunk(SHAPES[1])
    native = some_native()
    buffers = Buffers(native._kernel, native.packed(), *ids.shape, keep=True)
    hidden = torch.zeros(tuple(buffers.tensors["hiddens"][:, 0].shape))
    buffers.begin((hidden, hidden))
    for wrong in (hidden.double(), hidden[:, :1], hidden[..., :-1]):
        with pytest.raises(ValueError, match="cells"):
            buffers.begin((hidden, wrong))
        with pytest.raises(ValueError, match="embedded"):
            buffers.read(wrong)
        with pytest.raises(ValueError, match="masks"):
            buffers.drop(wrong)


def test_noise_of_another_shape_or_type_is_not_read():
    stepper = some_model(SHAPES[1]).stepper(2)
    stepper.step(torch.zeros(2, dtype=torch.int64))
    for wrong in (
        torch.zeros(2, 3, SIZE - 1),
        torch.zeros(3, 3, SIZE),
        torch.zeros(2, 3, SIZE).half(),
    ):
        with pytest.raises(ValueError, match="noise"):
            stepper.draw(wrong)
    whole = torch.rand(2, 3, SIZE)
    assert stepper.draw(whole.transpose(0, 1).contiguous().transpose(0, 1)).shape == (2, 3)


def test_weights_that_are_not_float32_are_not_packed():
    native = some_native()
    weights = native.weights()
    for wrong in (
        replace(weights, table=weights.table.double()),
        replace(weights, matrices=(*weights.matrices[:-1], weights.matrices[-1].half())),
    ):
        with pytest.raises(ValueError, match="not float32 on cpu"):
            PackedWeights(native._kernel, wrong)


@pytest.mark.parametrize("wrong", [-1, SIZE])
def test_an_id_before_the_chunk_that_is_out_of_range_is_not_read(wrong):
    shape = next(shape for shape in SHAPES if shape.ngram_order)
    ids, targets, (hidden, cell, before) = some_chunk(shape)
    model = some_model(shape)
    native = model.native()
    assert isinstance(native, NativeLSTM)
    before[-1, -1] = wrong
    with pytest.raises(IndexError, match=rf"before the chunk .* not in range\({SIZE}\)"):
        nats_of(native._kernel, native.packed(), ids, targets, (hidden, cell), before)


def test_a_negative_column_before_the_chunk_is_not_read():
    shape = next(shape for shape in SHAPES if shape.layout)
    ids, targets, (hidden, cell, before) = some_chunk(shape)
    model = some_model(shape)
    native = model.native()
    assert isinstance(native, NativeLSTM)
    before[-2] = -1
    with pytest.raises(IndexError, match="a column before the chunk is negative"):
        nats_of(native._kernel, native.packed(), ids, targets, (hidden, cell), before)


def test_the_checks_hold_without_assertions():
    """`python -O` drops assertions, and so must no check be one."""
    command = [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W"]
    command += ["ignore::pytest.PytestConfigWarning", __file__, "-k", "not without_assertions"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert ".........." in done.stdout
