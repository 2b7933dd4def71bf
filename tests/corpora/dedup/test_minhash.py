import hashlib
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.dedup.minhash import (
    PERMUTATIONS,
    candidate_pairs,
    clusters,
    rows_per_band,
    shingles,
    similarity,
    sketch,
    verified,
)

THRESHOLD = 0.8
WIDTH = 5
VOCABULARY = [f"word{i}" for i in range(400)]


def slow_tokens(text):
    """Words, single characters and marks, by a pattern."""
    single = r"(?!\s)[\u0e00-\u109f\u1780-\u17ff\u2e80-\ua4cf\U00010000-\U0010ffff]"
    word = rf"(?:(?!{single})\w)+"
    return re.findall(rf"{word}|{single}|[^\s\"'`,;()*#/\\]", text)


def slow_set(text):
    """The shingles of a text as tuples of tokens."""
    words = slow_tokens(text)
    width = min(WIDTH, len(words))
    if not width:
        return set()
    return {tuple(words[i : i + width]) for i in range(len(words) - width + 1)}


def slow_similarity(first, second):
    union = slow_set(first) | slow_set(second)
    return len(slow_set(first) & slow_set(second)) / max(len(union), 1)


def slow_pairs(texts, threshold):
    return {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if slow_similarity(texts[i], texts[j]) >= threshold
    }


def slow_clusters(count, pairs):
    heads = list(range(count))
    for _ in range(count):
        for i, j in pairs:
            heads[i] = heads[j] = min(heads[i], heads[j])
    return heads


def signatures_of(texts):
    return sketch([shingles(text) for text in texts])


def joined(texts, threshold=THRESHOLD):
    pairs = candidate_pairs(signatures_of(texts), threshold)
    return list(verified(pairs, lambda number: shingles(texts[number]), threshold))


def clusters_of(texts, threshold=THRESHOLD):
    return clusters(len(texts), [(i, j) for i, j, _ in joined(texts, threshold)]).tolist()


def sentence(generator, length):
    return " ".join(generator.choice(VOCABULARY) for _ in range(length))


def near_copy(text, generator, changes):
    words = text.split()
    for _ in range(changes):
        words[generator.randrange(len(words))] = f"new{generator.random()}"
    return " ".join(words)


short_texts = st.lists(st.sampled_from("ab\u00e9\u4e2d"), max_size=14).map(" ".join)
repetitive_texts = st.lists(st.sampled_from("ab"), max_size=40).map(" ".join)
free_texts = st.text(alphabet="ab \n\t\u3000\u00e9\u4e2d\U0001f600", max_size=40)


@st.composite
def corpora_with_near_copies(draw):
    generator = random.Random(draw(st.integers(0, 2**32)))
    texts = draw(st.lists(st.one_of(short_texts, free_texts), max_size=6))
    for length in draw(st.lists(st.integers(1, 300), max_size=4)):
        texts.append(sentence(generator, length))
    for _ in range(draw(st.integers(0, 6)) if texts else 0):
        source = draw(st.sampled_from(texts))
        changes = draw(st.integers(0, 5)) if source.split() else 0
        texts.append(near_copy(source, generator, changes))
    return texts


@given(free_texts, free_texts)
def test_similarity_is_that_of_the_sets_of_token_runs(first, second):
    ours = similarity(shingles(first), shingles(second))
    assert ours == slow_similarity(first, second)


@given(st.one_of(repetitive_texts, short_texts, free_texts))
def test_shingles_are_distinct_and_ascending(text):
    hashes = shingles(text)
    assert hashes.dtype == np.uint64
    assert len(hashes) == len(slow_set(text))
    assert (hashes[1:] > hashes[:-1]).all()


@settings(max_examples=150)
@given(corpora_with_near_copies(), st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]))
def test_clusters_and_pairs_are_those_of_brute_force(texts, threshold):
    truth = slow_pairs(texts, threshold)
    found = joined(texts, threshold)
    assert {(i, j) for i, j, _ in found} <= truth
    assert all(alike == slow_similarity(texts[i], texts[j]) for i, j, alike in found)
    assert clusters_of(texts, threshold) == slow_clusters(len(texts), truth)


@pytest.mark.parametrize("union", [5, 10, 40, 200, 1000, 3000])
def test_pairs_exactly_at_the_threshold_are_candidates_at_every_length(union):
    # At most 1e-5 of them may be missed, so one in a thousand is a bug.
    generator = np.random.default_rng(union)
    rows = []
    for _ in range(400 if union < 1000 else 100):
        both = generator.integers(0, 2**64, union, dtype=np.uint64)
        shared, own = int(THRESHOLD * union), int(0.1 * union)
        rows += [
            np.sort(both[: shared + own]),
            np.sort(np.delete(both, np.s_[shared : shared + own])),
        ]
    pairs = candidate_pairs(sketch(rows), THRESHOLD).tolist()
    assert pairs == [[i, i + 1] for i in range(0, len(rows), 2)]


@pytest.mark.parametrize("union", [20, 500, 5000])
def test_agreeing_permutations_estimate_the_similarity_without_bias(union):
    generator = np.random.default_rng(union)
    shares = []
    for _ in range(100):
        both = generator.integers(0, 2**64, union, dtype=np.uint64)
        first, second = sketch([np.sort(both[: -union // 4]), np.sort(both)])
        shares.append((first == second).mean())
    standard_error = (0.75 * 0.25 / PERMUTATIONS / len(shares)) ** 0.5
    assert abs(np.mean(shares) - 0.75) < 4 * standard_error


def test_half_alike_documents_are_hardly_ever_candidates():
    generator = np.random.default_rng(6)
    shared = generator.integers(0, 2**64, 300, dtype=np.uint64)
    rows = []
    for _ in range(100):
        own = generator.integers(0, 2**64, 150, dtype=np.uint64)
        rows.append(np.sort(np.concatenate([shared, own])))
    assert len(candidate_pairs(sketch(rows), THRESHOLD)) < 10


def test_a_sketch_does_not_depend_on_the_texts_beside_it():
    texts = [shingles(" ".join(VOCABULARY[i : i + 20 * i])) for i in range(1, 9)]
    alone = np.concatenate([sketch([text]) for text in texts])
    assert (sketch(texts) == alone).all()
    assert sketch([]).shape == (0, PERMUTATIONS)


@pytest.mark.parametrize(("threshold", "rows"), [(0.5, 2), (0.7, 4), (0.8, 6), (0.9, 9), (1, 256)])
def test_bands_are_as_long_as_the_allowed_miss_permits(threshold, rows):
    def miss(length):
        return (1 - threshold**length) ** (PERMUTATIONS // length)

    assert rows_per_band(threshold) == rows
    assert miss(rows) <= 1e-5
    assert rows == PERMUTATIONS or all(
        miss(longer) > 1e-5 for longer in range(rows + 1, PERMUTATIONS + 1)
    )


def test_verification_refuses_candidates_that_are_not_alike():
    generator = random.Random(1)
    texts = [sentence(generator, 100) for _ in range(4)]
    every_pair = np.array([[i, j] for j in range(4) for i in range(j)])
    assert list(verified(every_pair, lambda i: shingles(texts[i]), 0.01)) == []


def test_clusters_follow_chains_and_are_named_by_their_smallest_number():
    assert clusters(7, [(4, 5), (1, 2), (2, 5)]).tolist() == [0, 1, 1, 3, 1, 1, 6]
    assert clusters(3, []).tolist() == [0, 1, 2]
    assert clusters(0, []).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_clusters_do_not_depend_on_the_order_of_pairs(pairs):
    expected = slow_clusters(12, pairs)
    assert clusters(12, pairs).tolist() == expected
    assert clusters(12, [(j, i) for i, j in reversed(pairs)]).tolist() == expected


def test_near_copies_of_near_copies_are_one_cluster():
    generator = random.Random(2)
    texts = [sentence(generator, 300)]
    for _ in range(9):
        texts.append(near_copy(texts[-1], generator, 4))
    assert slow_similarity(texts[0], texts[-1]) < THRESHOLD
    assert clusters_of(texts) == [0] * 10


def test_the_order_of_documents_changes_no_cluster():
    generator = random.Random(3)
    texts = [sentence(generator, 80) for _ in range(40)]
    texts += [near_copy(text, generator, 1) for text in texts[:25]]
    shuffled = list(range(len(texts)))
    generator.shuffle(shuffled)

    def groups(heads, numbers):
        return {frozenset(n for n, h in zip(numbers, heads, strict=True) if h == x) for x in heads}

    before = groups(clusters_of(texts), range(len(texts)))
    assert any(len(group) > 1 for group in before)
    assert before == groups(clusters_of([texts[i] for i in shuffled]), shuffled)


def test_many_documents_that_are_all_alike_cost_little_and_are_one_cluster():
    generator = random.Random(4)
    text = sentence(generator, 400)
    texts = [near_copy(text, generator, 2) for _ in range(500)]
    pairs = candidate_pairs(signatures_of(texts), THRESHOLD)
    asked = []

    def shingles_of(number):
        asked.append(number)
        return shingles(texts[number])

    found = [(i, j) for i, j, _ in verified(pairs, shingles_of, THRESHOLD)]
    assert len(pairs) < 500 * 499 / 4
    assert len(found) == 499
    assert len(asked) <= 600
    assert set(clusters(500, found)) == {0}


def test_only_candidates_are_read_again():
    generator = random.Random(5)
    texts = [sentence(generator, 60) for _ in range(50)]
    texts.append(texts[7] + " end")
    pairs = candidate_pairs(signatures_of(texts), THRESHOLD)
    asked = []
    list(verified(pairs, lambda i: asked.append(i) or shingles(texts[i]), THRESHOLD))
    assert sorted(asked) == [7, 50]


def test_a_text_of_few_tokens_is_alike_only_to_one_of_the_same_tokens():
    texts = ["return 0;", "return  0;\n", "return 1;", "0; return", "return 0; }", "return"]
    assert clusters_of(texts) == [0, 0, 2, 3, 4, 5]


def test_texts_without_tokens_are_like_nothing():
    assert clusters_of(["", " \n", "(;)", "word"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("texts", [[], ["alone in the world here"]])
def test_one_text_or_none_has_no_pairs(texts):
    assert candidate_pairs(signatures_of(texts), THRESHOLD).shape == (0, 2)


def test_the_number_of_tokens_in_a_shingle_is_a_choice():
    first, second = "a b c d e f g h", "a b c d X f g h"
    assert similarity(shingles(first), shingles(second)) == 0
    assert similarity(shingles(first, width=1), shingles(second, width=1)) == 7 / 9


def test_hashes_are_the_same_on_every_machine():
    text = "if (na\u00efve == \u4e2d\u6587) return \U0001f600; else for (;;) count += 1; \udc80"
    stored = shingles(text).astype("<u8").tobytes()
    assert hashlib.sha256(stored).hexdigest()[:16] == "b390a91160220c9b"
