"""Compare everything that the kernel computes with torch, for any build of the kernel.

float32: loss, state and gradients within 1e-5 of torch's; mixed: within 1e-3 of what torch computes
from factors rounded to bfloat16 (a sum in another order occasionally rounds the other way).
"""

from ctypes import c_int64, c_void_p

import torch

from modeling.engines.rowwise_adagrad import RowwiseAdagrad
from modeling.models.lstm import LSTMStepper
from modeling.native.library import library
from modeling.native.stepper import NativeStepper
from tests.modeling.chunks import (
    SHAPES,
    SIZE,
    assert_close,
    assert_rounds_as_torch_does,
    distances,
    loss_by_kernel,
    loss_by_torch,
    outcome,
    rounded,
    some_chunk,
    some_model,
)

ODD = [(SHAPES[2], rows, 2) for rows in range(1, 14)] + [(SHAPES[1], 1, 30), (SHAPES[5], 25, 3)]
"""Chunks that meet each height of a tile, and more than one tile."""


def assert_agrees_with_torch():
    for shape, *size in [*((shape,) for shape in SHAPES), *ODD]:
        assert_chunks_agree(shape, *size)
    for shape in SHAPES:
        for streams in (1, 5):
            assert_draws_agree(shape, streams)
    for mixed in (False, True):
        for depth, rows, columns in ((1, 1, (1, 1)), (7, 13, (40, 3)), (530, 400, (33, 64))):
            assert_transposed_products_agree(mixed, depth, rows, columns)
    assert_adagrad_agrees()
    assert_exp_sigmoid_and_tanh_agree()


def assert_chunks_agree(shape, *size):
    """`pack`, `find_rows`, `sum_of_rows`, `forward`, `backward`, and gradients of weights."""
    chunk = some_chunk(shape, *size)
    chunk[1][0, 0] = 3
    assert_close(*(outcome(price, shape, chunk) for price in (loss_by_kernel, loss_by_torch)))
    assert_rounds_as_torch_does(shape, *size)


def assert_draws_agree(shape, streams, length=9):
    """`forward` without `keep`, `draw`: the same characters as torch draws from the same noise.

    The weights are exact in half precision, whether it is used or not.
    """
    model = some_model(shape).eval()
    for weight in model.parameters():
        weight.data = weight.data.half().float()
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(streams, length, SIZE, generator=generator)
    first = torch.randint(SIZE, (streams,), generator=generator)
    kernel, reference = model.stepper(streams), LSTMStepper(model, streams)
    assert isinstance(kernel, NativeStepper)
    logits = reference.step(first)
    assert_close([kernel.step(first)], [logits])
    drawn = kernel.draw(noise)
    for t in range(length):
        wanted = (logits + noise[:, t]).argmax(dim=1)
        assert drawn[:, t].equal(wanted)
        logits = reference.step(wanted)


def assert_transposed_products_agree(mixed, depth, rows, columns):
    left, *others = (torch.randn(depth, width) for width in (rows + 5, *columns))
    products = [torch.empty(rows, width) for width in columns]
    scratch = torch.empty(library().scratch_size(max(columns)))
    two = c_void_p * 2
    library().transposed_products(
        *(mixed, depth, rows, (c_int64 * 2)(*columns), left.data_ptr(), rows + 5),
        *(two(*(m.data_ptr() for m in matrices)) for matrices in (others, products)),
        scratch.data_ptr(),
    )
    read = rounded if mixed else torch.clone
    wanted = [read(left[:, :rows]).double().T @ read(other).double() for other in others]
    assert max(distances(products, wanted)) < 1e-6


def assert_adagrad_agrees():
    generator = torch.Generator().manual_seed(7)
    tables = [torch.zeros(30, 19), torch.zeros(30, 19)]
    optimizers = [RowwiseAdagrad(tables[0]), RowwiseAdagrad(tables[1], native=False)]
    for _ in range(3):
        rows = torch.randint(30, (40, 3), generator=generator)
        gradients = torch.randn(40, 19, generator=generator)
        for optimizer in optimizers:
            optimizer.step(rows, gradients, 0.1)
    assert_close(*([table, one.squares] for table, one in zip(tables, optimizers, strict=True)))


def assert_exp_sigmoid_and_tanh_agree():
    x = torch.linspace(-43, 43, 4_001)
    results = torch.empty(3, len(x))
    library().evaluate(len(x), x.data_ptr(), *(result.data_ptr() for result in results))
    exact = x.double()
    wanted = torch.stack((exact.exp(), exact.sigmoid(), exact.tanh()))
    assert ((results - wanted) / wanted.where(wanted != 0, 1)).abs().max() < 4e-7
