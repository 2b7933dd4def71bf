import copy
import itertools
import math

import numpy as np
import pytest
import torch

from modeling.inference.likelihood import (
    bits_of_documents,
    documents_in_parallel,
    sample_surprisals,
    surprisals,
)
from modeling.models.lstm import LSTMStepper
from modeling.training.validation import Validation
from modeling.vocab import FILE_MARK, MARK_ID, UNKNOWN_ID
from tests.modeling.gpu import DEVICES


@pytest.fixture(autouse=True, params=["kernel", "torch"])
def engine(request, monkeypatch):
    monkeypatch.setenv("CHARMILL_NATIVE", str(int(request.param == "kernel")))


def slow_bits(model, vocabulary, document):
    """One character at a time, with torch in float64."""
    stepper = LSTMStepper(model, 1)
    bits = []
    for here, after in itertools.pairwise(document):
        logits = stepper.step(torch.tensor([int(here)]))[0].double()
        bits.append(-logits.log_softmax(0)[int(after)].item() / math.log(2))
        bits[-1] += vocabulary.unknown_bits * (after == UNKNOWN_ID)
    return np.array(bits)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("chunk_length", [2, 7, 128])
def test_bits_equal_the_slow_reference_for_every_batch_and_chunk(
    model, vocabulary, documents, batch_size, chunk_length
):
    documents = [documents[i] for i in (1, 0, 2, 5)] + vocabulary.encode_documents(
        ["", "x", "\u20ac"]
    )
    scored = dict(
        surprisals(model, vocabulary, documents, batch_size=batch_size, chunk_length=chunk_length)
    )
    assert sorted(scored) == list(range(len(documents)))
    for index, document in enumerate(documents):
        wanted = slow_bits(model, vocabulary, document)
        np.testing.assert_allclose(scored[index], wanted, atol=1e-4)


def test_the_bits_of_all_texts_of_one_character_sum_to_one(model, vocabulary):
    """The unknown id is shared by the characters outside, so its probability counts once."""
    documents = vocabulary.encode_documents([*vocabulary.characters, "\u20ac"])
    bits = bits_of_documents(model, vocabulary, documents)
    end = -dict(surprisals(model, vocabulary, [np.zeros(2, np.uint16)]))[0][0]
    bits[-1] -= vocabulary.unknown_bits
    assert (2.0**-bits).sum() + 2.0**end == pytest.approx(1, abs=1e-5)


def test_sums_belong_to_their_documents_in_the_order_given(model, vocabulary, documents):
    sums = bits_of_documents(model, vocabulary, documents)
    for index in (0, 3, 4, 9):
        wanted = slow_bits(model, vocabulary, documents[index]).sum()
        assert sums[index] == pytest.approx(wanted, abs=1e-4 * len(documents[index]))


def test_no_documents_have_no_bits(model, vocabulary):
    assert bits_of_documents(model, vocabulary, []).shape == (0,)
    assert bits_of_documents(model, vocabulary, vocabulary.encode_documents([""])).tolist() == [0]


def test_scoring_leaves_the_mode_of_the_model_as_it_was(model, vocabulary, documents):
    model.train()
    noisy = bits_of_documents(model, vocabulary, documents[:2])
    assert model.training
    model.eval()
    assert noisy.tolist() == bits_of_documents(model, vocabulary, documents[:2]).tolist()


def test_a_sample_is_charged_its_marks_and_restarts_after_them(model, vocabulary):
    text = f"x + 1{FILE_MARK}def f{FILE_MARK}{FILE_MARK}return"
    bits = sample_surprisals(model, vocabulary, [vocabulary.encode(text)])[0]
    assert len(bits) == len(text)
    documents = [vocabulary.encode(FILE_MARK + part) for part in text.split(FILE_MARK)]
    ends = [np.append(document, np.uint16(MARK_ID)) for document in documents[:-1]]
    wanted = [slow_bits(model, vocabulary, document) for document in [*ends, documents[-1]]]
    np.testing.assert_allclose(bits, np.concatenate(wanted), atol=1e-4)


def test_an_empty_sample_has_no_bits(model, vocabulary):
    assert sample_surprisals(model, vocabulary, [vocabulary.encode("")])[0].shape == (0,)


def test_validation_of_everything_equals_the_bits_of_short_documents(model, vocabulary, documents):
    validation = Validation(documents, 10**9)
    characters = sum(len(document) - 1 for document in documents)
    assert validation.characters == characters
    wanted = bits_of_documents(model, vocabulary, documents).sum() / characters
    assert validation.bits_per_character(model, vocabulary) == pytest.approx(wanted, abs=1e-5)


def test_windows_of_a_long_document_charge_every_character_once(model, vocabulary, stream):
    document = np.concatenate([stream[:1], np.tile(stream[stream != MARK_ID], 4)])
    validation = Validation([document], 10**9)
    assert validation.characters == len(document) - 1 > 5000
    wanted = bits_of_documents(model, vocabulary, [document])[0] / (len(document) - 1)
    assert validation.bits_per_character(model, vocabulary) == pytest.approx(wanted, rel=1e-3)


def test_validation_takes_about_as_many_characters_as_asked(vocabulary, stream):
    document = np.concatenate([stream[:1], np.tile(stream[stream != MARK_ID], 20)])
    assert 4000 <= Validation([document] * 3, 5000).characters <= 6000
    assert 0 < Validation([document], 1).characters <= 1000


def test_without_validation_documents_there_are_no_validation_bits(model, vocabulary):
    for nothing in ([], vocabulary.encode_documents([""])):
        assert Validation(nothing, 100).bits_per_character(model, vocabulary) is None


@pytest.mark.parametrize("device", DEVICES[1:])
def test_a_gpu_charges_the_bits_that_a_processor_charges(model, vocabulary, documents, device):
    wanted = bits_of_documents(model, vocabulary, documents)
    moved = copy.deepcopy(model).to(device)
    characters = sum(map(len, documents))
    for batch_size in (None, 5):
        bits = bits_of_documents(moved, vocabulary, documents, batch_size=batch_size)
        assert abs(bits.sum() - wanted.sum()) < 1e-3 * characters


@pytest.mark.parametrize(
    ("free", "fewest", "most"), [(0, 64, 64), (10**8, 65, 1023), (10**12, 1024, 1024)]
)
def test_a_gpu_scores_as_many_documents_side_by_side_as_its_memory_suggests(
    model, free, fewest, most
):
    assert fewest <= documents_in_parallel(model, 128, free) <= most
