"""Products whose factors are rounded to bfloat16."""

from ctypes import c_int64, c_void_p

import pytest
import torch

from modeling.native.library import library
from tests.modeling.chunks import SHAPES, assert_rounds_as_torch_does, distances, rounded
from tests.modeling.native.compiler import needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mixed_products_are_those_of_rounded_factors(shape):
    assert_rounds_as_torch_does(shape)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 7), (64, 3), (13, 2)])
def test_a_mixed_chunk_may_have_any_shape(size):
    assert_rounds_as_torch_does(SHAPES[2], *size)


def test_numbers_are_rounded_to_bfloat16_as_torch_rounds_them():
    """Ties, infinities, the largest and smallest numbers; an odd depth is padded with zeros."""
    generator = torch.Generator().manual_seed(5)
    words = torch.randint(-(2**31), 2**31, (2_000,), generator=generator).int()
    ties = words[:500] & ~0x7FFF | 0x8000
    matrix = torch.cat((words, ties)).view(torch.float32)
    matrix = torch.cat((matrix[matrix.isfinite()], torch.tensor([torch.inf, -torch.inf, 0.0])))
    matrix = matrix[: len(matrix) // 2 * 2 - 1, None]
    depth, width = len(matrix), library().packed_size(0, 1, 1)
    for row, column in ((1, 1), (1, 7)):
        packed = torch.empty(library().packed_size(1, depth, 1))
        library().pack(1, depth, 1, matrix.data_ptr(), row, column, packed.data_ptr())
        pairs = packed.view(-1, width)[:, 0].contiguous().view(torch.bfloat16)
        assert pairs[:depth].float().equal(rounded(matrix[:, 0]))
        assert pairs[depth] == 0


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("depth", "rows", "columns"), [(1, 1, (1, 1)), (7, 13, (40, 3)), (1030, 400, (33, 64))]
)
def test_products_of_transposes_are_those_of_torch(mixed, depth, rows, columns):
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
