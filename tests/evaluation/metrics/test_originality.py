import time
import tracemalloc
from pathlib import PurePosixPath
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.metrics import originality
from evaluation.metrics.originality import (
    BLOCK,
    MIN_LENGTH,
    MIN_NOT_BLANK,
    CopyIndex,
    copy_tallies,
    covering,
)
from evaluation.results import CopiedSpan, Tally
from modeling.vocab import FILE_MARK

PROSE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity."
)
CODE = "".join(f"def area_{i}(width, height):\n    return width * height + {i}\n" for i in range(9))
NEVER = 10**9


def index_of(texts, header_files=NEVER, **settings):
    labels = [(f"src/{i}.py", f"licence {i}") for i in range(len(texts))]
    return CopyIndex(texts, labels, header_files=header_files, **settings)


def slow_spans(texts, sample):
    """Extend every start to its longest copy, drop nested copies, and find the document."""
    found, reached = [], 0
    for start in range(len(sample)):
        end = start
        while end < len(sample) and sample[end] != FILE_MARK:
            if not any(sample[start : end + 1] in text for text in texts):
                break
            end += 1
        if end > reached:
            reached = end
            found.append((start, end))
    return [
        (start, end, next(i for i, text in enumerate(texts) if sample[start:end] in text))
        for start, end in found
        if end - start >= MIN_LENGTH and len("".join(sample[start:end].split())) >= MIN_NOT_BLANK
    ]


def found_spans(texts, sample, **settings):
    return [
        (span.start, span.end, int(PurePosixPath(span.path).stem))
        for span in index_of(texts, **settings).spans(sample)
    ]


pieces = st.one_of(
    st.sampled_from(
        [PROSE, PROSE[20:110], CODE, CODE[30:95], " " * 70, "-" * 80, "\u4e2d\U0001f600"]
    ),
    st.text(alphabet="ab \n", max_size=60),
)
texts_of_pieces = st.lists(pieces, max_size=4).map("".join)
cuts = st.tuples(st.integers(0, 600), st.integers(0, 300))


@settings(max_examples=150)
@given(data=st.data(), texts=st.lists(texts_of_pieces, min_size=1, max_size=4))
def test_spans_are_those_of_the_slow_reference(data, texts):
    parts = []
    for source in data.draw(st.lists(st.sampled_from([*texts, FILE_MARK, "zz"]), max_size=4)):
        begin, length = data.draw(cuts)
        parts.append(source[begin % (len(source) + 1) :][:length])
    sample = "".join(parts)
    assert found_spans(texts, sample) == slow_spans(texts, sample)


periods = st.tuples(st.sampled_from(["-", "ab", "- x\n", CODE[:31], " " * 9 + "y"]), cuts)
runs = st.lists(periods, max_size=3).map(
    lambda drawn: "".join(
        (period * 600)[start % len(period) :][:length] + end
        for (period, (start, length)), end in zip(drawn, "!?#", strict=False)
    )
)


@settings(max_examples=60)
@example(texts=["-" * 60 + "!" + "ab" * 30 + "?"], sample="-" * 200 + "!" + "ab" * 100 + "#")
@example(texts=["." * 47 + "-" * 50 + "!"], sample="-" * 200)
@given(texts=st.lists(runs, min_size=1, max_size=4), sample=runs)
def test_spans_of_repetitive_text_are_those_of_the_slow_reference(texts, sample):
    with patch.object(originality, "CONTEXT", 2 * BLOCK):
        assert found_spans(texts, sample, min_repeats=2) == slow_spans(texts, sample)


def test_repetitive_text_costs_a_fraction_of_its_pairs_of_blocks(monkeypatch):
    line = "#" + "-" * 78 + "\n"
    sample = "-" * 3_000
    extended = []
    original = CopyIndex._agreeing

    def counting(self, points, offsets, *more):
        extended.append(len(offsets))
        return original(self, points, offsets, *more)

    monkeypatch.setattr(CopyIndex, "_agreeing", counting)
    assert len(index_of([line * 300]).spans(sample)) == 3_000 - 78 + 1
    grouped = sum(extended)
    extended.clear()
    index_of([line * 300], min_repeats=len(sample)).spans(sample)
    assert grouped < sum(extended) / 5


@pytest.mark.parametrize("begin", range(0, 60, 7))
def test_a_planted_copy_is_found_exactly(begin):
    planted = PROSE[begin : begin + MIN_LENGTH]
    (span,) = index_of(["unrelated", PROSE]).spans(f"@@{planted}@@")
    assert span == CopiedSpan(start=2, end=2 + MIN_LENGTH, path="src/1.py", license="licence 1")


def test_one_character_less_is_no_copy():
    assert not index_of([PROSE]).spans(f"@@{PROSE[8 : 8 + MIN_LENGTH - 1]}@@")


def test_the_first_of_several_documents_is_named():
    (span,) = index_of(["other", f"a {PROSE}", f"b {PROSE}"]).spans(PROSE)
    assert span.path == "src/1.py"


def test_a_copy_does_not_join_two_documents():
    halves = [PROSE[:40], PROSE[40:80]]
    assert not index_of(halves).spans(PROSE[:80])


def test_neighbouring_blocks_from_two_places_are_no_copy():
    first, second = PROSE[:BLOCK], CODE[:BLOCK]
    text = f"{'x' * (BLOCK - 1)}{first}{'y' * BLOCK}{second}{'z' * BLOCK}"
    assert not index_of([text]).spans(first + second)


def test_each_of_many_documents_is_named():
    texts = [f"{i:04}{PROSE[:MIN_LENGTH]}{i:04}" for i in range(200)]
    index = index_of(texts)
    for i, text in enumerate(texts):
        assert [span.path for span in index.spans(text)] == [f"src/{i}.py"]


def test_a_copy_does_not_reach_over_a_file_mark():
    cut = f"{PROSE[:60]}{FILE_MARK}{PROSE[60:120]}"
    assert found_spans([PROSE], cut) == [(0, 60, 0), (61, 121, 0)]


def test_mostly_blank_spans_do_not_count():
    padded = f"{'x' * (MIN_NOT_BLANK - 1)}{' ' * 60}"
    assert not index_of([padded]).spans(padded)
    assert index_of([f"y{padded}"]).spans(f"y{padded}")


@pytest.mark.parametrize("before", [6, 15, 24])
@pytest.mark.parametrize("shift", range(BLOCK))
def test_a_copy_whose_whole_blocks_are_all_blank_is_found(before, shift):
    letters = "abcdefghijklmnopqrstuvwxyzABCD"
    copy = f"{letters[:before]}{' ' * 100}{letters[before:]}"
    assert len(letters) == MIN_NOT_BLANK
    spans = found_spans([f"{'@' * shift}{copy}@"], f"#{copy}#")
    assert spans == [(1, 1 + len(copy), 0)]


def test_overlapping_copies_of_two_files_are_both_named():
    texts = [PROSE[:90], PROSE[35:]]
    assert found_spans(texts, PROSE) == [(0, 90, 0), (35, len(PROSE), 1)]


def test_a_text_of_one_paragraph_is_no_header_however_many_files_have_it():
    (span,) = index_of(10 * [PROSE.replace("\n\n", "\n")], header_files=10).spans(
        PROSE.replace("\n\n", "\n")
    )
    assert span.end - span.start > 100


def test_a_header_of_many_files_is_left_out():
    header = "# Licensed to you under the terms of a licence\n# that is long enough to be a span.\n"
    texts = [f"{header}\n\nname_{i} = {i}\n{PROSE if i == 3 else ''}" for i in range(10)]
    assert not index_of(texts, header_files=10).spans(header)
    assert index_of(texts, header_files=11).spans(header)
    (span,) = index_of(texts, header_files=10).spans(PROSE)
    assert span.path == "src/3.py"


def test_a_sample_of_one_repeated_character_is_found_in_all_its_runs():
    spans = found_spans(["-" * 70], "-" * 200)
    assert spans == [(start, start + 70, 0) for start in range(131)]


@pytest.mark.parametrize("texts", [[], [""], ["short"]])
def test_nothing_is_copied_from_no_text(texts):
    assert index_of(texts).spans(PROSE) == []


def test_tallies_count_overlapping_spans_once():
    texts = [PROSE[:90], PROSE[35:]]
    sample = f"{PROSE}{FILE_MARK}{'z' * 100}"
    assert copy_tallies(sample, index_of(texts).spans(sample)) == {
        "copied_fraction_50": Tally(len(PROSE), len(PROSE) + 100),
        "longest_copy": Tally(len(PROSE) - 35, 1),
    }


def test_tallies_of_an_empty_sample_are_empty():
    empty = {"copied_fraction_50": Tally(0, 0), "longest_copy": Tally(0, 0)}
    assert copy_tallies("", []) == copy_tallies(FILE_MARK, []) == empty


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30))
def test_the_fewest_spans_hold_the_same_characters(pairs):
    # Longest spans, as an index gives them: by start, none inside another.
    kept, reached = [], 0
    for start, length in sorted(pairs, key=lambda pair: (pair[0], -pair[1])):
        if start + length > reached:
            kept.append(CopiedSpan(start=start, end=start + length, path="p", license=None))
            reached = start + length
    chosen = covering(kept)

    def held(spans):
        return {i for span in spans for i in range(span.start, span.end)}

    assert held(chosen) == held(kept)
    assert all(held([s for s in chosen if s != span]) != held(kept) for span in chosen)


def test_a_loop_through_tables_of_zeros_takes_little_time_and_memory():
    """26 s and 2.2 GB without a limit on the places of a block."""
    index = index_of(["0x00, " * 500] * 400)
    tracemalloc.start()
    began = time.process_time()
    spans = index.spans("0x00, " * 1666)
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 5
    assert peak < 100e6
    assert spans[0] == CopiedSpan(start=0, end=3000, path="src/0.py", license="licence 0")
    assert copy_tallies("0x00, " * 1666, spans)["copied_fraction_50"] == Tally(9996, 9996)


def test_a_copy_with_one_rare_block_is_found_among_common_ones():
    common = "0x00, " * 500
    texts = [common] * 50 + [f"{'-' * 70}{PROSE[:60]}{'-' * 70}"]
    sample = f"{'-' * 70}{PROSE[:60]}{'-' * 70}"
    (span,) = covering(index_of(texts).spans(sample))
    assert (span.start, span.end, span.path) == (0, 200, "src/50.py")
