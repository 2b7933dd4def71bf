import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.baselines import ngram
from evaluation.baselines.ngram import NgramCounts
from modeling.vocab import FILE_MARK, MARK_ID, UNKNOWN_ID, Vocabulary

MAX_ORDER = 6
VOCABULARY = Vocabulary(tuple("abc"))
WOODCHUCK = [
    "how much wood would a woodchuck chuck if a woodchuck could chuck wood?\n" * 2,
    "he would chuck, he would, as much as he could,\nand chuck as much wood\n",
    "as a woodchuck would if a woodchuck could chuck wood.",
    "",
]

texts = st.text(alphabet="abcz", max_size=30)
corpora = st.lists(texts, min_size=1, max_size=5)


class DictionaryKneserNey:
    """Interpolated modified Kneser-Ney, one dictionary per order, one context at a time."""

    def __init__(self, documents, vocabulary, order):
        self.size, self.order = vocabulary.size, order
        raw = defaultdict(Counter)
        for document in documents:
            ids = [*map(int, document), MARK_ID]
            for end in range(1, len(ids)):
                for begin in range(end + 1):
                    raw[end - begin + 1][tuple(ids[begin : end + 1])] += 1
        self.counts = {k: self._adjusted(raw, k) for k in range(1, order + 1)}
        self.discounts = {k: self._discounts(self.counts[k]) for k in self.counts}
        self.after = defaultdict(dict)
        for k, grams in self.counts.items():
            for gram, count in grams.items():
                self.after[k, gram[:-1]][gram[-1]] = count

    def _adjusted(self, raw, k):
        if k == self.order:
            return raw[k]
        left = defaultdict(set)
        for gram in raw[k + 1]:
            left[gram[1:]].add(gram[0])
        return {gram: len(left[gram]) or count for gram, count in raw[k].items()}

    def _discounts(self, grams):
        n = Counter(grams.values())
        if not (n[1] and n[2] and n[3]):
            return [0, 0.5, 1.0, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        own = [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]
        return [0, *own] if all(0 < own[j] <= j + 1 for j in range(3)) else [0, 0.5, 1.0, 1.5]

    def probability(self, context, wanted):
        context = tuple(context)[-(self.order - 1) :] if self.order > 1 else ()
        return self._interpolated(context, wanted)

    def _interpolated(self, context, wanted):
        lower = self._interpolated(context[1:], wanted) if context else 1 / self.size
        order = len(context) + 1
        seen = self.after.get((order, context))
        if not seen:
            return lower
        discounts = self.discounts[order]
        total = sum(seen.values())
        given_up = sum(discounts[min(count, 3)] for count in seen.values())
        count = seen.get(wanted, 0)
        return (count - discounts[min(count, 3)] + given_up * lower) / total


def counted(documents, vocabulary=VOCABULARY, max_order=MAX_ORDER):
    return NgramCounts(vocabulary.encode_documents(documents), vocabulary, max_order)


def woodchuck_vocabulary():
    return Vocabulary.from_counts(Counter("".join(WOODCHUCK)), min_count=2)


@pytest.mark.parametrize("order", range(1, MAX_ORDER + 1))
@settings(max_examples=40)
@given(train=corpora, held_out=corpora)
def test_every_character_costs_what_the_dictionary_reference_says(order, train, held_out):
    documents = VOCABULARY.encode_documents(train)
    scored = VOCABULARY.encode_documents(held_out)
    reference = DictionaryKneserNey(documents, VOCABULARY, order)
    bits = counted(train).model(order).bits(scored)
    for document, found in zip(scored, bits, strict=True):
        ids = document.tolist()
        assert len(found) == len(ids) - 1
        for place, got in enumerate(found, start=1):
            expected = -math.log2(reference.probability(ids[:place], ids[place]))
            expected += VOCABULARY.unknown_bits * (ids[place] == UNKNOWN_ID)
            assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", range(9))
def test_probabilities_of_all_ids_sum_to_one_in_every_context(order):
    vocabulary = woodchuck_vocabulary()
    model = counted(WOODCHUCK, vocabulary, 9).model(order)
    for context in ("", "wood", "as a woodchuck", "zzz wo", "\u4e2dh"):
        prefix = [MARK_ID, *vocabulary.encode(context)]
        documents = [np.array([*prefix, i], np.uint16) for i in range(vocabulary.size)]
        bits = np.array([found[-1] for found in model.bits(documents)])
        bits[UNKNOWN_ID] -= vocabulary.unknown_bits
        assert (2.0**-bits).sum() == pytest.approx(1, abs=1e-9)


def test_order_zero_is_uniform_over_all_ids():
    vocabulary = woodchuck_vocabulary()
    model = counted(WOODCHUCK, vocabulary).model(0)
    (bits,) = model.bits(vocabulary.encode_documents(["would"]))
    assert bits.tolist() == [math.log2(vocabulary.size)] * 5


def test_order_one_costs_nearly_the_entropy_of_its_own_text():
    text = "abc" * 2000 + "a" * 6000
    documents = VOCABULARY.encode_documents([text])
    (bits,) = NgramCounts(documents, VOCABULARY, 1).model(1).bits(documents)
    entropy = -sum(p * math.log2(p) for p in (2 / 3, 1 / 6, 1 / 6))
    assert bits.mean() == pytest.approx(entropy, rel=2e-3)


def test_a_markov_source_costs_its_entropy_within_one_percent():
    generator = np.random.default_rng(3)
    transitions = np.array([[0.8, 0.15, 0.05], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    states = [0]
    for draw in generator.random(120_000):
        states.append(int((transitions[states[-1]].cumsum() <= draw).sum().clip(max=2)))
    text = "".join("abc"[state] for state in states)
    stationary = np.linalg.matrix_power(transitions, 64)[0]
    entropy = -(stationary[:, None] * transitions * np.log2(transitions)).sum()
    (bits,) = counted([text[:80_000]]).model(2).bits(VOCABULARY.encode_documents([text[80_000:]]))
    assert bits.mean() == pytest.approx(entropy, rel=0.01)


def test_an_unknown_character_is_charged_its_name_as_well():
    model = counted(["abcabc"]).model(3)
    known, unknown = model.bits(VOCABULARY.encode_documents(["a", "\u4e2d"]))
    assert unknown[0] > VOCABULARY.unknown_bits + known[0]


def test_the_end_of_a_document_is_not_context_for_the_next():
    model = counted(["aaaab", "ccccb"] * 9).model(5)
    alone = model.bits(VOCABULARY.encode_documents(["caab"]))
    after = model.bits(VOCABULARY.encode_documents(["aaaa", "caab"]))
    assert after[1].tolist() == alone[0].tolist()


def test_empty_documents_and_no_documents_are_scored():
    model = counted(["abc"]).model(4)
    assert [len(found) for found in model.bits(VOCABULARY.encode_documents(["", "a"]))] == [0, 1]
    assert model.bits([]) == []


def test_without_training_text_every_order_is_uniform():
    (bits,) = counted([]).model(MAX_ORDER).bits(VOCABULARY.encode_documents(["abc"]))
    assert bits.tolist() == pytest.approx([math.log2(VOCABULARY.size)] * 3)


def test_keys_too_wide_to_be_packed_are_ranked_the_same(monkeypatch):
    documents = VOCABULARY.encode_documents(["abcab cab", "bca"])
    packed = NgramCounts(documents, VOCABULARY, 4).model(4).bits(documents)
    monkeypatch.setattr(ngram, "SIGNED_BITS", 0)
    wide = NgramCounts(documents, VOCABULARY, 4).model(4).bits(documents)
    assert [found.tolist() for found in packed] == [found.tolist() for found in wide]


def test_a_stream_depends_on_its_seed_alone():
    model = counted(WOODCHUCK, woodchuck_vocabulary()).model(4)
    together = model.sample(range(5), 400)
    alone = model.sample([3], 400)[0]
    assert together[3].tolist() == alone.tolist()
    assert together[2].tolist() != alone.tolist()


@pytest.mark.parametrize("order", [0, 1, 4])
def test_samples_never_hold_the_unknown_id(order):
    vocabulary = woodchuck_vocabulary()
    model = counted([*WOODCHUCK, "\u4e2d" * 200], vocabulary).model(order)
    drawn = np.concatenate(model.sample(range(8), 500))
    assert UNKNOWN_ID not in drawn
    assert drawn.max() < vocabulary.size


def test_drawn_characters_are_as_frequent_as_the_model_says():
    model = counted(["aab", "abb", "aac", "b", "zzz"] * 5).model(3)
    firsts = Counter(int(stream[0]) for stream in model.sample(range(4000), 1))
    documents = [np.array([MARK_ID, i], np.uint16) for i in range(VOCABULARY.size)]
    shares = {i: 2.0 ** -found[0] for i, found in enumerate(model.bits(documents))}
    shares[UNKNOWN_ID] = 0.0
    for i, share in shares.items():
        expected = share / sum(shares.values())
        assert firsts[i] / 4000 == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 4000))


def test_a_sample_costs_about_the_entropy_of_its_model():
    vocabulary = woodchuck_vocabulary()
    model = counted(WOODCHUCK, vocabulary, 3).model(3)
    streams = model.sample(range(20), 1000)
    documents = [np.array([MARK_ID, *stream], np.uint16) for stream in streams]
    drawn = np.concatenate(model.bits(documents))
    redrawn = [np.array([MARK_ID, *s], np.uint16) for s in model.sample(range(20, 40), 1000)]
    assert drawn.mean() == pytest.approx(np.concatenate(model.bits(redrawn)).mean(), rel=0.05)
    assert drawn.mean() < counted(WOODCHUCK, vocabulary, 3).model(1).bits(documents)[0].mean()


def test_a_drawn_mark_begins_a_new_file():
    vocabulary = Vocabulary(tuple("xyz"))
    model = counted(["xyz" * 3] * 400, vocabulary, 8).model(8)
    text = vocabulary.decode(np.concatenate(model.sample(range(10), 300)))
    files = [file for file in text.split(FILE_MARK)[1:-1] if file]
    assert len(files) > 100
    assert sum(file == "xyzxyzxyz" for file in files) > 0.95 * len(files)


def test_progress_rises_to_one():
    seen = []
    documents = VOCABULARY.encode_documents(["abcabc"])
    counts = NgramCounts(documents, VOCABULARY, 5, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    counts.model(5).bits(documents, seen.append)
    counts.model(5).sample([1], 10, seen.append)
    assert seen.count(1) == 3


@pytest.mark.parametrize("order", [-1, 4])
def test_an_order_that_was_not_counted_is_refused(order):
    with pytest.raises(ValueError, match=f"order: {order} was not counted; allowed: 0 to 3"):
        counted(["abc"], max_order=3).model(order)


def test_a_maximal_order_below_one_is_refused():
    with pytest.raises(ValueError, match="max_order: 0"):
        counted(["abc"], max_order=0)
