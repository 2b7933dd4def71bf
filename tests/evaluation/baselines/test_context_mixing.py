import numpy as np
import pytest

from evaluation.baselines.context_mixing import LENGTHS, ContextMixing
from modeling.vocab import MARK_ID

SIZE = 12
SEGMENT = 32


def ids(text):
    """Ids of a text of the characters a to j, after the file mark."""
    return np.array([MARK_ID, *(ord(character) - ord("a") + 2 for character in text)])


def charged(held_out, priming=(), model=None):
    """Bits of every character, given the model's log-probabilities, by default all equal."""
    if model is None:
        model = np.full((sum(map(len, held_out)) - len(held_out), SIZE), -np.log(SIZE))
    mixing = ContextMixing(priming, held_out, SIZE)
    parts, done = [], 0
    for document in held_out:
        end = done + len(document) - 1
        for begin in range(done, end, SEGMENT):
            parts.append(mixing.charge(model[begin : min(begin + SEGMENT, end)].astype(np.float32)))
        done = end
    return np.concatenate(parts)


def random_text(seed, length):
    return "".join(np.random.default_rng(seed).choice(list("abcdefghij"), length))


def test_without_any_context_the_model_decides():
    (bits,) = charged([ids("a")])
    assert bits == pytest.approx(np.log2(SIZE))


def test_a_text_that_was_read_before_costs_little():
    text = random_text(1, 1000)
    before, unseen = charged([ids(text)], [ids(text)]), charged([ids(text)])
    assert before[LENGTHS[-1] :].mean() < 0.2
    assert unseen.mean() > 3


def test_what_is_charged_depends_on_earlier_text_alone():
    text, end = random_text(2, 400), 200
    for other in (text[:end], text[:end] + random_text(3, 200)):
        np.testing.assert_array_equal(
            charged([ids(text)], [ids("abcabc")])[: end - SEGMENT],
            charged([ids(other)], [ids("abcabc")])[: end - SEGMENT],
        )


def test_the_probabilities_of_all_characters_sum_to_one():
    text = random_text(4, 300)
    model = np.log(np.random.default_rng(5).dirichlet(np.ones(SIZE), 301))
    total = 0.0
    for character in range(SIZE - 2):
        document = np.append(ids(text), character + 2)
        total += 2 ** -charged([document], [ids(text[:50])], model)[-1]
    no_characters = np.exp(model[-1, :2]).sum()  # the file mark and the unknown character
    assert 1 - no_characters - 0.05 < total < 1


def test_a_model_that_knows_the_text_is_trusted_where_contexts_mislead():
    text = random_text(6, 3000)
    model = np.full((3000, SIZE), np.log(0.05 / (SIZE - 1)))
    model[np.arange(3000), ids(text)[1:]] = np.log(0.95)
    bits = charged([ids(text)], [ids(random_text(7, 3000))], model)
    assert bits[-1000:].mean() < bits[:1000].mean()
    assert bits[-1000:].mean() < -np.log2(0.95) + 0.05


def test_documents_are_scored_in_order_and_their_marks_cost_nothing():
    first, second = random_text(8, 100), random_text(9, 50)
    bits = charged([ids(first), ids(second), ids(first)])
    assert len(bits) == 250
    assert bits[-50:].mean() < 0.8 * bits[:50].mean()
