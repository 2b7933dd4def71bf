"""Bits of characters after so many others: the places, the windows, and what they come to."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.claims.context import LONGEST, POSITIONS, bits_after, chosen
from modeling.config import ModelConfig
from modeling.models import build_model
from modeling.vocab import MARK_ID, Vocabulary

VOCABULARY = Vocabulary(tuple("ab "))


@pytest.fixture
def dataset():
    torch.manual_seed(0)
    network = build_model(ModelConfig(hidden_size=8), VOCABULARY.size).eval()
    texts = [("ab " * n)[: LONGEST + 2] for n in (50, 300)]
    model = SimpleNamespace(network=network, vocabulary=VOCABULARY)
    frame = pd.DataFrame({"text": texts})
    return SimpleNamespace(model=lambda device: model, documents=lambda split, text: frame)


def test_every_place_has_enough_before_it_and_each_is_drawn():
    documents = [np.zeros(length, np.uint16) for length in (10, LONGEST + 3, LONGEST + 1, 2000)]
    places = chosen(documents)
    assert len(places) == POSITIONS
    assert {document for document, _ in places} == {1, 3}
    for document, place in places:
        assert LONGEST < place < len(documents[document])
    assert {place for document, place in places if document == 1} == {LONGEST + 1, LONGEST + 2}


@pytest.mark.parametrize("length", [1, 2, 50, math.inf])
def test_the_bits_are_those_of_the_network_after_such_a_text(dataset, length):
    model = dataset.model("cpu")
    text = dataset.documents("test", text=True)["text"][1]
    ids = np.concatenate([[MARK_ID], VOCABULARY.encode(text)])
    expected = []
    for place in (LONGEST + 1, LONGEST + 2):
        start = 0 if length == math.inf else place - length
        part = torch.from_numpy(ids[start : place + 1].astype(np.int64))[None]
        with torch.no_grad():
            logits, _ = model.network(part[:, :-1])
        expected.append(-logits[0, -1].log_softmax(0)[part[0, -1]].item() / math.log(2))
    share = np.mean([place == LONGEST + 2 for _, place in chosen([np.zeros(1), ids])])
    mean = (1 - share) * expected[0] + share * expected[1]
    assert bits_after(dataset, length) == pytest.approx(mean, abs=1e-4)
