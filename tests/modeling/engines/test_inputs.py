import itertools

import numpy as np
import pytest
import torch

from modeling.engines.batches import Batches
from modeling.engines.inputs import Inputs, keeps
from modeling.vocab import MARK_ID

CPU = torch.device("cpu")
SIZE = 90


def corpus(lengths, size=SIZE):
    stream = np.random.default_rng(3).integers(1, size, sum(lengths) + len(lengths))
    stream[np.cumsum([0, *(length + 1 for length in lengths[:-1])])] = MARK_ID
    return stream.astype(np.uint16)


CORPORA = {
    "tiny documents": [0, 1, 0, 2, 5, 1, 0, 3] * 9,
    "a single one": [700],
    "of all lengths": [*range(12), 60, 0, 0, 90],
}


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sent"])
@pytest.mark.parametrize("streams", [1, 7, 64])
@pytest.mark.parametrize("lengths", CORPORA.values(), ids=CORPORA)
def test_what_the_device_cuts_out_is_what_the_host_would(lengths, streams, kept):
    """Over the ends of many epochs, with jumps in every other chunk."""
    stream = corpus(lengths)
    batches = Batches(stream, batch_size=streams, chunk_length=6, jump_probability=0.3, seed=2)
    inputs = Inputs(batches.batch_size, SIZE, CPU, stream if kept else None)
    for step in range(400):
        batch = batches.next(step, jump=step % 2 == 0)
        inputs.put(batch)
        for ours, wanted in zip(
            inputs.cut(), (batch.ids, batch.targets, batch.carried), strict=True
        ):
            assert ours.dtype == wanted.dtype
            assert torch.equal(ours, wanted)
        assert inputs.characters == batch.characters
    assert batches.cursor.taken > 3 * len(batches._starts)


@pytest.mark.parametrize("size", [2**8, 2**8 + 1, 2**15, 2**15 + 1, 2**16])
@pytest.mark.parametrize("kept", [True, False])
def test_the_largest_id_of_a_vocabulary_is_read_as_it_is(size, kept):
    stream = corpus([50], size)
    stream[1:] = size - 1
    inputs = Inputs(2, size, CPU, stream if kept else None)
    inputs.put(Batches(stream, batch_size=2, chunk_length=8).next(0))
    assert inputs.cut()[0].max() == size - 1


def test_chunk_after_chunk_comes_to_lie_in_the_same_memory():
    stream = corpus([400])
    batches = Batches(stream, batch_size=4, chunk_length=6)
    for text in (stream, None):
        inputs = Inputs(4, SIZE, CPU, text)
        places = set()
        for step in range(5):
            inputs.put(batches.next(step))
            held = (inputs._text, inputs._places, inputs._offsets, inputs.characters)
            places.add(tuple(tensor.data_ptr() for tensor in held))
        assert len(places) == 1


def test_the_order_of_pieces_is_that_of_handing_them_out_one_by_one():
    """More streams than an epoch has pieces, so that one chunk starts pieces of several epochs."""
    batches = Batches(corpus([3, 3, 3, 40]), batch_size=8, chunk_length=6, seed=5)
    pieces = list(zip(batches._starts, batches._ends, strict=True))
    orders = (np.random.default_rng([5, 0, epoch]).permutation(len(pieces)) for epoch in range(60))
    wanted = (pieces[piece] for order in orders for piece in order)
    position = end = np.zeros(8, np.int64)
    for step in range(60):
        batch = batches.next(step)
        begun = np.flatnonzero(position >= end)
        expected = list(itertools.islice(wanted, len(begun)))
        assert list(zip(batch.position[begun], batch.end[begun], strict=True)) == expected
        position, end = np.minimum(batch.position + 6, batch.end), batch.end


def test_the_processor_keeps_no_text():
    assert not keeps(corpus([10]), SIZE, CPU)
