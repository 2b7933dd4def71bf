import dataclasses
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from modeling.config import Budget
from modeling.models.ngrams import NgramEmbedding
from modeling.training import counted_ngrams
from modeling.training.counted_ngrams import start_from_counts
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import MARK_ID

SIZE, ORDER, ROWS = 6, 3, 300_000


@pytest.fixture
def text():
    """A text with rare and frequent n-grams; every row of the table has one n-gram at most."""
    generator = np.random.default_rng(3)
    steps = generator.choice([1, 1, 1, 1, 2, 3], 3000)
    return np.concatenate([[MARK_ID], 1 + np.cumsum(steps) % (SIZE - 1)]).astype(np.uint16)


def table_of(text, *, width=2 * SIZE, layout=False):
    ngrams = NgramEmbedding(ORDER, ROWS, width, 0.0, SIZE, layout=layout)
    start_from_counts(ngrams, text, SIZE)
    return ngrams


def row_of(ngrams, context):
    ids = torch.tensor([context])
    before = torch.zeros(ngrams.memory, 1, dtype=torch.int64)
    return ngrams.table[ngrams.places(ids, before)[0, -1, len(context) - 2]]


def logarithms_by_hand(text):
    """For each context of 2 or 3 characters log(p / p of the next lower order), slowly."""
    padded = [MARK_ID] * (ORDER - 1) + text.tolist()
    follows = [*text[1:].tolist(), MARK_ID]
    general = np.bincount(text, minlength=SIZE) + 0.5
    chances = {(): general / general.sum()}
    logarithms = {}
    for order in (2, 3):
        counts = defaultdict(Counter)
        for place, after in enumerate(follows):
            end = place + ORDER
            counts[tuple(padded[end - order : end])][after] += 1
        for context, counted in counts.items():
            lower = chances[context[1:] if order == 3 else ()]
            others = np.array([max(counted[after] - 1, 0) for after in range(SIZE)])
            chances[context] = (others + len(counted) * lower) / counted.total()
            logarithms[context] = np.log(chances[context] / lower)
    return logarithms


def test_rows_are_one_linear_image_of_the_logarithms_by_hand(text):
    ngrams, wanted = table_of(text), logarithms_by_hand(text)
    rows = torch.stack([row_of(ngrams, context) for context in wanted]).double()
    logarithms = torch.from_numpy(np.stack([*wanted.values()]))
    image = torch.linalg.lstsq(logarithms, rows).solution
    torch.testing.assert_close(logarithms @ image, rows, atol=1e-4, rtol=1e-3)
    assert rows.abs().max() > 0.1


def test_what_occurs_once_teaches_nothing(text):
    ngrams = table_of(np.array([MARK_ID, 1, 2, 3, 4, 5], np.uint16))
    assert not ngrams.table.any()
    assert table_of(text).table.any()


def test_rows_of_the_layout_and_the_zero_row_stay_zero(text):
    ngrams = table_of(text, layout=True)
    assert ngrams.table[: (ORDER - 1) * ROWS].any()
    assert not ngrams.table[(ORDER - 1) * ROWS :].any()


def test_blocks_do_not_change_the_counts(text, monkeypatch):
    whole = table_of(text).table
    monkeypatch.setattr(counted_ngrams, "_BLOCK", 17)
    torch.testing.assert_close(table_of(text).table, whole)


def test_rare_characters_of_a_large_vocabulary_share_a_class(text, monkeypatch):
    monkeypatch.setattr(counted_ngrams, "CLASSES", 3)
    ngrams = table_of(text)
    assert torch.linalg.matrix_rank(ngrams.table.float(), tol=1e-3) <= 3
    assert ngrams.table.any()


@pytest.fixture
def make(config, vocabulary, stream, documents):
    """A function that creates a trainer which counts."""

    def make(*, initial=None, checkpoint=None):
        counting = dataclasses.replace(config, budget=Budget(epochs=1), count_ngrams=True)
        data = {"vocabulary": vocabulary, "stream": stream, "validation": documents[:4]}
        job = TrainingJob(config=counting, initial=initial, **data)
        return Trainer(job, device=torch.device("cpu"), checkpoint=checkpoint)

    return make


def test_a_resumed_training_does_not_count_again(make):
    whole, stopped = make(), make()
    for _ in whole.run():
        pass
    points = stopped.run()
    for _ in range(5):
        next(points)
    resumed = make(checkpoint=stopped.checkpoint())
    for _ in resumed.run():
        pass
    first, second = (trainer.checkpoint().tensors for trainer in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_fine_tuned_model_keeps_the_table_it_was_given(make, vocabulary):
    source = make().best_model()
    source.ngrams.table.data.normal_()
    trainer = make(initial=(source, vocabulary))
    next(trainer.run())
    table = trainer.best_model().ngrams.table
    assert (table == source.ngrams.table).all(dim=1).float().mean() > 0.5
