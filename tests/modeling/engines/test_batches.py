from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling.engines.batches import IGNORED, Batches
from modeling.errors import TextError
from modeling.vocab import MARK_ID

corpora = st.lists(st.integers(0, 90), min_size=1, max_size=30)


def corpus(lengths):
    """Documents whose characters all differ, so that every position can be recognised."""
    starts = np.cumsum([0, *(length + 1 for length in lengths)])
    stream = np.arange(1, starts[-1] + 1, dtype=np.uint16)
    stream[starts[:-1]] = MARK_ID
    return stream


def pairs(batch):
    """The (input, target) pairs that are trained, row by row."""
    kept = batch.targets != IGNORED
    return [
        list(zip(i[k].tolist(), t[k].tolist(), strict=True))
        for i, t, k in zip(batch.ids, batch.targets, kept, strict=True)
    ]


@settings(deadline=None)
@given(corpora, st.integers(2, 20))
def test_an_epoch_trains_every_character_exactly_once(lengths, chunk_length):
    stream = corpus([*lengths, chunk_length])
    batches = Batches(stream, batch_size=1, chunk_length=chunk_length)
    seen = []
    while len(seen) < len(stream):
        seen += pairs(batches.next(0))[0]
    assert sorted(seen) == sorted(zip(stream.tolist(), [*stream[1:].tolist(), 0], strict=True))


@settings(deadline=None)
@given(corpora, st.integers(2, 8), st.integers(2, 20))
def test_parallel_streams_begin_all_pieces_of_the_corpus_equally_often(
    lengths, batch_size, chunk_length
):
    stream = corpus([length + 1 for length in [*lengths, chunk_length]])
    batches = Batches(stream, batch_size=batch_size, chunk_length=chunk_length)
    begun = Counter()
    for _ in range(40):
        batch = batches.next(0)
        begun.update(row[0] for row, c in zip(pairs(batch), batch.carried, strict=True) if not c)
    if begun.total() >= len(batches._starts):
        assert len(begun) == len(batches._starts)
    assert max(begun.values()) - min(begun.values()) <= 1


@settings(deadline=None)
@given(corpora, st.integers(1, 8), st.integers(2, 20), st.booleans())
def test_a_mark_is_read_only_with_zero_state_at_the_start_of_a_chunk(
    lengths, batch_size, chunk_length, jump
):
    stream = corpus([*lengths, chunk_length])
    batches = Batches(
        stream, batch_size=batch_size, chunk_length=chunk_length, jump_probability=0.3
    )
    for step in range(12):
        batch = batches.next(step, jump=jump)
        trained = (batch.targets != IGNORED) & (batch.ids == MARK_ID)
        assert not trained[:, 1:].any()
        assert not (trained[:, 0] & batch.carried).any()
        assert batch.characters == (batch.targets != IGNORED).sum() > 0


def test_a_stream_that_is_carried_goes_on_where_it_stopped():
    batches = Batches(corpus([200, 300, 5]), batch_size=2, chunk_length=7, jump_probability=0.3)
    last = batches.next(0, jump=True)
    carried = 0
    for step in range(1, 60):
        batch = batches.next(step, jump=True)
        for row in range(2):
            if batch.carried[row]:
                carried += 1
                assert batch.ids[row, 0] == last.targets[row, -1]
        last = batch
    assert carried > 20


def test_epochs_are_shuffled_differently_and_repeatably():
    def order(seed):
        batches = Batches(corpus([9] * 40), batch_size=1, chunk_length=10, seed=seed)
        return [int(batches.next(0).targets[0, 0]) for _ in range(80)]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)[:40]) == sorted(order(1)[40:])
    assert order(1)[:40] != order(1)[40:]


def test_jumps_come_as_often_as_asked_and_only_when_allowed():
    batches = Batches(corpus([50_000]), batch_size=1, chunk_length=10, jump_probability=0.25)
    jumped = sum(not batches.next(step, jump=True).carried[0] for step in range(2000))
    assert 420 < jumped < 580
    batches = Batches(corpus([50_000]), batch_size=1, chunk_length=10, jump_probability=0.25)
    assert sum(not batches.next(step).carried[0] for step in range(2000)) == 1


def test_jumps_lead_to_line_breaks_unless_the_line_is_very_long():
    line_break, rest = 2, 3
    text = np.full(6000, rest, np.uint16)
    text[0] = MARK_ID
    text[100:3000:50] = line_break
    options = {"batch_size": 8, "chunk_length": 4, "jump_probability": 1.0}
    places = {True: set(), False: set()}
    for broken in places:
        batches = Batches(text, **options, line_break=line_break if broken else None)
        for step in range(200):
            places[broken] |= set(batches.next(step, jump=True).position.tolist())
    starts = {0, *range(100, 3000, 50)}
    assert {place for place in places[True] if place < 3000} <= starts
    assert len(places[True] - starts) > 500
    assert len(places[False] - starts) > 1000


def test_the_same_cursor_and_steps_give_the_same_batches():
    first, second = (
        Batches(corpus([90, 40, 7]), batch_size=3, chunk_length=8, jump_probability=0.5, seed=4)
        for _ in range(2)
    )
    for step in range(20):
        first.next(step, jump=True)
    second.cursor = first.cursor
    for step in range(20, 60):
        one, two = first.next(step, jump=True), second.next(step, jump=True)
        assert one.ids.equal(two.ids)
        assert one.targets.equal(two.targets)
        assert one.carried.equal(two.carried)


def test_a_small_corpus_is_read_by_fewer_streams():
    assert Batches(corpus([99]), batch_size=64, chunk_length=32).batch_size == 3


def test_a_corpus_shorter_than_a_chunk_is_refused():
    with pytest.raises(TextError, match=r"has 10 characters.*chunk_length must be at most 10"):
        Batches(corpus([9]), batch_size=4, chunk_length=32)


def test_a_memory_mapped_corpus_gives_the_same_batches(tmp_path):
    stream = corpus([200, 100])
    np.save(tmp_path / "stream.npy", stream)
    mapped = np.load(tmp_path / "stream.npy", mmap_mode="r")
    one = Batches(stream, batch_size=4, chunk_length=8).next(0)
    two = Batches(mapped, batch_size=4, chunk_length=8).next(0)
    assert one.ids.equal(two.ids)
