import dataclasses

import numpy as np
import pytest
import torch

from modeling.inference.dynamic_evaluation import (
    NGRAM_RATES,
    RATES,
    Adaptation,
    chosen_adaptation,
    dynamic_surprisals,
    first_characters,
)
from modeling.inference.likelihood import surprisals
from modeling.vocab import UNKNOWN_ID


def in_all(model, vocabulary, documents, **how):
    bits = dynamic_surprisals(model, vocabulary, documents, Adaptation(**how))
    return [float(part.sum()) for part in bits]


def test_a_model_that_does_not_learn_scores_as_the_fixed_one(model, vocabulary, documents):
    fixed = dict(surprisals(model, vocabulary, documents))
    still = dynamic_surprisals(
        model, vocabulary, documents, Adaptation(learning_rate=0, ngram_learning_rate=0, decay=0)
    )
    for index, bits in enumerate(still):
        np.testing.assert_allclose(bits, fixed[index], atol=1e-4)


def test_every_segment_is_charged_before_it_is_learned(model, vocabulary, documents):
    document = max(documents, key=len)
    (bits,) = dynamic_surprisals(model, vocabulary, [document], Adaptation(segment_length=10))
    fixed = dict(surprisals(model, vocabulary, [document]))[0]
    np.testing.assert_allclose(bits[:10], fixed[:10], atol=1e-4)
    assert abs(bits[10:20] - fixed[10:20]).max() > 1e-3


def test_the_first_step_is_plain_gradient_descent_on_the_mean_loss(model, vocabulary, documents):
    document = max(documents, key=len)[:9]
    how = Adaptation(
        segment_length=4, learning_rate=0.1, ngram_learning_rate=0.1, decay=0.25, clip_norm=1e9
    )
    (bits,) = dynamic_surprisals(model, vocabulary, [document], how)
    ids = torch.from_numpy(document.astype(np.int64))
    logits, state = model(ids[None, :4])
    torch.nn.functional.cross_entropy(logits[0], ids[1:5]).backward()
    with torch.no_grad():
        for weight in model.dense_parameters():
            weight.sub_(weight.grad, alpha=0.75 * 0.1)
        for rows, gradient in zip(*model.ngrams.gradient(), strict=True):
            for row in rows:
                model.ngrams.table[row] -= 0.75 * 0.1 * gradient
        logits, _ = model(ids[None, 4:8], tuple(part.detach() for part in state))
    wanted = -logits[0].log_softmax(1)[torch.arange(4), ids[5:9]] / np.log(2)
    np.testing.assert_allclose(bits[4:], wanted.numpy(), atol=1e-4)


def test_what_comes_again_gets_cheaper_unless_documents_are_kept_apart(
    model, vocabulary, documents
):
    document = max(documents, key=len)
    across = in_all(model, vocabulary, [document] * 4)
    apart = in_all(model, vocabulary, [document] * 4, across_documents=False)
    assert across[3] < across[1] < across[0] == apart[0]
    assert apart == [apart[0]] * 4


def test_the_model_is_left_as_it_was(model, vocabulary, documents):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = in_all(model, vocabulary, documents[:3])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(weight.grad is not None for weight in model.parameters())
    assert in_all(model, vocabulary, documents[:3]) == first


def test_an_unknown_character_is_charged_its_name_too(model, vocabulary):
    (document,) = vocabulary.encode_documents(["x\u20acx"])
    (bits,) = dynamic_surprisals(model, vocabulary, [document], Adaptation())
    fixed = dict(surprisals(model, vocabulary, [document]))[0]
    assert document[2] == UNKNOWN_ID
    assert bits[1] == pytest.approx(fixed[1], abs=1e-3)
    assert bits[1] > vocabulary.unknown_bits


def test_an_empty_document_has_no_bits(model, vocabulary):
    assert in_all(model, vocabulary, vocabulary.encode_documents([""])) == [0.0]


def test_the_chosen_rates_are_the_best_on_the_text_they_are_chosen_by(model, vocabulary, documents):
    repeated = [max(documents, key=len)] * 3
    chosen = chosen_adaptation(model, vocabulary, repeated, characters=10**6)

    def bits(**changes):
        how = dataclasses.replace(chosen, **changes)
        return sum(
            float(part.sum()) for part in dynamic_surprisals(model, vocabulary, repeated, how)
        )

    tables = {rate: bits(ngram_learning_rate=rate) for rate in NGRAM_RATES}
    assert chosen.ngram_learning_rate == min(tables, key=tables.get)
    assert chosen.learning_rate in RATES
    assert len(set(tables.values())) == len(NGRAM_RATES)


def test_without_text_the_rates_are_the_usual_ones(model, vocabulary):
    assert chosen_adaptation(model, vocabulary, []) == Adaptation()


def test_rates_are_chosen_by_the_first_characters_alone(model, vocabulary, documents):
    start = first_characters(documents, 70)
    assert sum(len(part) - 1 for part in start) == 70
    assert all(
        (part == whole[: len(part)]).all()
        for part, whole in zip(start, documents[: len(start)], strict=True)
    )
    of_start = chosen_adaptation(model, vocabulary, start)
    assert chosen_adaptation(model, vocabulary, documents, characters=70) == of_start
