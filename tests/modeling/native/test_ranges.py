"""Ids outside the vocabulary never reach the kernel, which would read out of bounds."""

import pytest
import torch

from tests.modeling.chunks import SHAPES, SIZE, loss_by_kernel, some_chunk, some_model
from tests.modeling.native.compiler import needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("wrong", [-1, SIZE, 2**40])
def test_an_id_out_of_range_is_not_read(wrong):
    ids, targets, state = some_chunk(SHAPES[1])
    ids[3, 4] = wrong
    with pytest.raises(IndexError, match=f"{wrong}.*, of {SIZE} rows"):
        loss_by_kernel(some_model(SHAPES[1]), ids, targets, state)
    with pytest.raises(IndexError):
        some_model(SHAPES[1]).stepper(2).step(torch.tensor([0, wrong]))


def test_a_target_out_of_range_is_not_priced():
    ids, targets, state = some_chunk(SHAPES[1])
    targets[3, 4] = SIZE
    with pytest.raises(IndexError, match=f"target {SIZE}, of {SIZE} ids"):
        loss_by_kernel(some_model(SHAPES[1]), ids, targets, state)
