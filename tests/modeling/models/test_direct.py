"""Direct connections from the embedded input to the output."""

import dataclasses

import pytest
import torch

from modeling.config import ModelConfig
from modeling.inference.likelihood import surprisals
from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from modeling.training.fine_tune import take_over
from modeling.vocab import FILE_MARK, Vocabulary

VOCABULARY = Vocabulary.from_counts(dict.fromkeys("abcdef \n", 2), min_count=1)
OTHER = Vocabulary.from_counts(dict.fromkeys("xfab \n", 2), min_count=1)
TEXT = "abc\n  deaf\n  bead fed\n\nabca\n" * 9
SHAPE = ModelConfig(embedding_size=8, hidden_size=16, ngram_order=4, ngram_rows=5000, direct=True)


def a_model(shape=SHAPE, vocabulary=VOCABULARY):
    torch.manual_seed(0)
    model = build_model(shape, vocabulary.size).eval()
    model.learn_characters(vocabulary)
    model.ngrams.table.normal_()
    return model


def ids_of(text):
    return torch.from_numpy(VOCABULARY.encode(FILE_MARK + text).astype("int64"))[None]


@pytest.mark.parametrize("layout", [False, True])
def test_kernel_torch_and_steps_agree(layout, monkeypatch):
    model = a_model(dataclasses.replace(SHAPE, layout=layout))
    document = VOCABULARY.encode(FILE_MARK + TEXT)
    native = dict(surprisals(model, VOCABULARY, [document], chunk_length=50))[0]
    logits, _ = model(ids_of(TEXT))
    stepper, steps = model.stepper(1), LSTMStepper(model, 1)
    for place, character in enumerate(document[:200].tolist()):
        given = torch.tensor([character])
        torch.testing.assert_close(steps.step(given), logits[:, place], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(stepper.step(given), logits[:, place], atol=2e-2, rtol=2e-2)
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    plain = dict(surprisals(model, VOCABULARY, [document], chunk_length=70))[0]
    torch.testing.assert_close(torch.from_numpy(native), torch.from_numpy(plain), atol=1e-4, rtol=0)


def test_they_add_what_the_embedded_input_says():
    model = a_model()
    ids = ids_of(TEXT)
    logits, _ = model(ids)
    embedded = model.embed(ids, model.zero_state(1)[-1])
    with torch.no_grad():
        model.direct.weight.zero_()
    torch.testing.assert_close(logits - model(ids)[0], embedded @ a_model().direct.weight.t())


def test_there_are_none_without_ngrams():
    assert build_model(ModelConfig(direct=True), 9).direct is None


def test_fine_tuning_moves_the_weights_with_their_characters():
    ours, theirs = a_model(vocabulary=OTHER), a_model()
    new = ours.direct.weight.clone()
    take_over(ours, OTHER, theirs, VOCABULARY)
    for character in "fab \n":
        here, there = (int(v.encode(character)[0]) for v in (OTHER, VOCABULARY))
        assert torch.equal(ours.direct.weight[here], theirs.direct.weight[there])
    unknown = int(OTHER.encode("x")[0])
    assert torch.equal(ours.direct.weight[unknown], new[unknown])
