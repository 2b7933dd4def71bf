import pytest
import torch

from modeling.config import ModelConfig
from modeling.inference.likelihood import surprisals
from modeling.models import build_model
from modeling.models.layout import MOST, NEAR, Layout
from modeling.models.lstm import LSTMStepper
from modeling.vocab import FILE_MARK, Vocabulary

CHARACTERS = "\t\n !abcdefghijklmnopqrstuvwxyz"
VOCABULARY = Vocabulary(tuple(CHARACTERS))
TEXT = (
    "def f:\n    if a:\n\n   \n        return b\n    c\n\td\n\n\n"
    + " " * (MOST + 5)
    + "e\nf"
    + "g" * (MOST + 5)
    + "\n  h"
)
SHAPE = ModelConfig(embedding_size=8, hidden_size=16, ngram_order=3, ngram_rows=50_000, layout=True)


def code_of(character):
    return 100 + int(VOCABULARY.encode(character)[0])


def place_by_hand(text):
    """Column of the place after a text, and its indentation or that of the line above, capped."""
    lines = text.removeprefix(FILE_MARK).split("\n")
    column = len(lines[-1])
    full = [line for line in lines if line.strip()]
    above = len(full[-1]) - len(full[-1].lstrip()) if full else 0
    if not lines[-1].strip() and column <= above + NEAR:
        return (MOST + 1) * (min(above, MOST) + 1) + min(column, MOST)
    last = FILE_MARK * 2 + text
    repeated = last[-1] == last[-2] == last[-3]
    return (MOST + 1) * repeated * (MOST + 1 + code_of(last[-1])) + min(column, MOST)


def a_layout():
    layout = Layout(VOCABULARY.size)
    layout.learn(VOCABULARY)
    return layout


def ids_of(text):
    return torch.from_numpy(VOCABULARY.encode(text).astype(int))[None]


def a_model():
    torch.manual_seed(0)
    model = build_model(SHAPE, VOCABULARY.size).eval()
    model.learn_characters(VOCABULARY)
    assert model.ngrams is not None
    torch.nn.init.normal_(model.ngrams.table)
    return model


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_places_are_columns_and_indentations_in_chunks_of_any_length(chunk):
    layout, text = a_layout(), FILE_MARK + TEXT
    state, ids = torch.zeros(2, 1, dtype=torch.int64), ids_of(text)
    codes = 100 + torch.nn.functional.pad(ids, (2, 0))
    places = []
    for start in range(0, len(text), chunk):
        end = start + chunk
        part, state = layout.follow(ids[:, start:end], state, codes[:, start : end + 2])
        places += part[0].tolist()
    assert places == [place_by_hand(text[: end + 1]) for end in range(len(text))]


def test_streams_are_followed_independently():
    layout = a_layout()
    texts = [FILE_MARK + "  a\n b", FILE_MARK + "ab\n\n  "]

    def places(ids):
        state = torch.zeros(2, len(ids), dtype=torch.int64)
        return layout.follow(ids, state, torch.nn.functional.pad(ids, (2, 0)))[0]

    ids = [ids_of(text) for text in texts]
    assert torch.equal(places(torch.cat(ids)), torch.cat([*map(places, ids)]))


def test_kernel_torch_and_steps_read_the_same_layout(monkeypatch):
    model, document = a_model(), VOCABULARY.encode(FILE_MARK + TEXT)
    native = dict(surprisals(model, VOCABULARY, [document], chunk_length=50))[0]
    stepper, steps = model.stepper(1), LSTMStepper(model, 1)
    for character in document[:200].tolist():
        given = torch.tensor([character])
        torch.testing.assert_close(stepper.step(given), steps.step(given), atol=2e-2, rtol=2e-2)
    monkeypatch.setenv("CHARMILL_NATIVE", "0")
    plain = dict(surprisals(model, VOCABULARY, [document], chunk_length=70))[0]
    torch.testing.assert_close(torch.from_numpy(native), torch.from_numpy(plain), atol=1e-4, rtol=0)


def test_the_place_in_the_line_changes_the_prediction():
    """The last four characters are equal, but not the column or the indentation above."""
    model = a_model()
    logits = [model(ids_of(FILE_MARK + text))[0][0, -1] for text in ("abcd    ", "a\n  b\n    ")]
    other = [model(ids_of(FILE_MARK + text))[0][0, -1] for text in ("ab\n\n    ", "ab\n      ")]
    assert not torch.allclose(*logits, atol=1e-3)
    assert not torch.allclose(*other, atol=1e-3)


@pytest.mark.parametrize("order", [0, 2])
def test_there_is_no_layout_without_ngrams_of_order_3(order):
    model = build_model(ModelConfig(layout=True, ngram_order=order), VOCABULARY.size)
    model.learn_characters(VOCABULARY)
    assert model.ngrams is None or model.ngrams.layout is None
