"""The kernel's table of n-grams against torch's."""

import pytest
import torch

from modeling.engines.rowwise_adagrad import RowwiseAdagrad
from modeling.models.ngrams import NgramEmbedding
from modeling.native import threads
from modeling.native.library import library
from modeling.native.ngrams import find_rows, sum_of_rows
from tests.modeling.native.compiler import needs_compiler

pytestmark = needs_compiler

SIZE, WIDTH = 11, 19
"""Small, so that characters are often repeated; WIDTH is no multiple of any vector."""


def an_embedding(order, layout, rows=50):
    torch.manual_seed(order)
    ngrams = NgramEmbedding(order, rows, WIDTH, 0.0, SIZE, layout=layout)
    torch.nn.init.normal_(ngrams.table[:-1])
    if ngrams.layout:
        ngrams.layout.kinds.copy_(torch.tensor([2, 2, 1, 1] + [0] * (SIZE - 4)))
    return ngrams


def some_ids(*shape):
    # Half of them one of the first three: breaks and blanks.
    few, all_of_them = torch.randint(3, shape), torch.randint(SIZE, shape)
    return torch.where(torch.rand(shape) < 0.5, few, all_of_them)


@pytest.mark.parametrize(
    ("order", "layout"), [(2, False), (3, False), (3, True), (5, True), (32, True)]
)
def test_rows_and_what_is_remembered_equal_torchs_chunk_after_chunk(order, layout):
    ngrams = an_embedding(order, layout)
    ours = theirs = torch.zeros(ngrams.memory, 4, 1, dtype=torch.int64)
    for length in (1, 2, 60, 7):
        ids = some_ids(4, length)
        expected = ngrams.places(ids, theirs.squeeze(2))
        theirs = ngrams.after(theirs.squeeze(2), ids).unsqueeze(2)
        rows, ours = find_rows(library(), ngrams.for_kernel(), ids, ours)
        assert torch.equal(rows, expected)
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("vectors", [1, 3, 200])
def test_sums_are_torchs_whatever_the_number_of_threads(vectors, many_threads):
    ngrams = an_embedding(4, layout=False)
    rows = torch.randint(len(ngrams.table), (vectors, 3))
    sums = []
    for number in (1, 3):
        many_threads(number)
        sums.append(sum_of_rows(library(), ngrams.table, rows))
    torch.testing.assert_close(sums[0], ngrams.bag(rows))
    assert torch.equal(*sums)


def test_adagrad_equals_torchs_whatever_the_number_of_threads(many_threads):
    tables = [an_embedding(4, layout=False, rows=9).table.detach().clone() for _ in range(4)]
    optimizers = [
        (RowwiseAdagrad(table, native=number > 0), max(1, number))
        for table, number in zip(tables, (0, 1, 2, 5), strict=True)
    ]
    for _ in range(20):
        rows = torch.randint(len(tables[0]), (40, 3))
        gradient = torch.randn(40, WIDTH)
        for optimizer, number in optimizers:
            many_threads(number)
            optimizer.step(rows, gradient, torch.tensor(0.1))
    torch.testing.assert_close(tables[0], tables[1], atol=1e-5, rtol=1e-5)
    (by_torch, _), *by_kernel = optimizers
    torch.testing.assert_close(by_torch.squares, by_kernel[0][0].squares)
    assert torch.equal(tables[1][-1], torch.zeros(WIDTH))
    for table, (optimizer, _) in zip(tables[2:], by_kernel[1:], strict=True):
        assert torch.equal(table, tables[1])
        assert torch.equal(optimizer.squares, by_kernel[0][0].squares)


def test_adagrad_forgets_a_gradient_that_is_not_finite():
    """The weights are restored after a divergence; nothing of it may remain in scratch memory."""
    table = torch.zeros(5, 3)
    optimizer = RowwiseAdagrad(table)
    optimizer.step(torch.tensor([[1, 2]]), torch.full((1, 3), torch.nan), 0.1)
    table.zero_()
    optimizer.squares.zero_()
    optimizer.step(torch.tensor([[2, 3]]), torch.ones(1, 3), 0.1)
    assert torch.equal(table[2:4], torch.full((2, 3), -0.1))


@pytest.mark.parametrize("wrong", [-1, SIZE])
def test_an_id_out_of_range_is_not_looked_up(wrong):
    ngrams = an_embedding(3, layout=True).for_kernel()
    ids, before = some_ids(2, 5), torch.zeros(4, 2, 1, dtype=torch.int64)
    for bad in (torch.full_like(ids, wrong), torch.where(ids == ids[0, 0], wrong, ids)):
        with pytest.raises(IndexError, match=rf"ids from .* not in range\({SIZE}\)"):
            find_rows(library(), ngrams, bad, before)
    with pytest.raises(IndexError, match="ids before the chunk"):
        find_rows(library(), ngrams, ids, before + wrong)


def test_what_is_remembered_in_another_shape_or_type_is_not_read():
    ngrams = an_embedding(3, layout=True).for_kernel()
    ids, before = some_ids(4, 5), torch.zeros(4, 4, 1, dtype=torch.int64)
    for wrong in (before[:, :1], before[:3], before.int(), before.squeeze(2)):
        with pytest.raises(ValueError, match="before"):
            find_rows(library(), ngrams, ids, wrong)


def test_gradients_and_tables_of_another_shape_or_type_are_not_read():
    table = torch.zeros(8, 4)
    optimizer = RowwiseAdagrad(table)
    rows, gradients = torch.tensor([[1, 2]]), torch.ones(1, 4)
    for wrong in (
        (rows.int(), gradients),
        (rows, gradients.double()),
        (rows, gradients[:, :3]),
        (rows.repeat(2, 1), gradients),
    ):
        with pytest.raises(ValueError, match=r"rows|gradients"):
            optimizer.step(*wrong, 0.1)
    with pytest.raises(ValueError, match="table"):
        sum_of_rows(library(), table.half(), rows)


def test_a_table_that_is_not_contiguous_is_left_to_torch():
    whole = torch.zeros(8, 10)
    RowwiseAdagrad(whole.t()).step(torch.tensor([[1, 2]]), torch.ones(1, 8), 0.1)
    assert (whole.t() != 0).any(dim=1).nonzero().flatten().tolist() == [1, 2]


def test_an_engine_with_the_kernel_leaves_torch_one_thread(many_threads):
    many_threads(3)
    parts = []
    with threads.threads_in_use(kernel=2, others=1):
        assert torch.get_num_threads() == 1
        threads.share(10, lambda *part: parts.append(part), 1e9)
    assert sorted(parts) == [(0, 5), (5, 10)]
    assert torch.get_num_threads() == 3
    parts.clear()
    threads.share(9, lambda *part: parts.append(part), 1e9)
    assert len(parts) == 3
