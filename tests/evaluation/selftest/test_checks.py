import math

import numpy as np
import pytest

from evaluation.metrics.originality import CopyIndex
from evaluation.selftest import checks as selftest
from evaluation.selftest.checks import Check, checks
from evaluation.selftest.planted import MarkovSource


@pytest.fixture(scope="module")
def found():
    return list(checks())


def test_every_planted_answer_is_found(found):
    assert len(found) == 7
    assert [check.name for check in found if not check.holds] == []


def test_a_figure_that_is_off_or_missing_does_not_hold():
    assert Check(name="a", planted=1.0, found=1.01, tolerance=0.02).holds
    assert not Check(name="a", planted=1.0, found=1.03, tolerance=0.02).holds
    assert not Check(name="a", planted=1.0, found=0.97, tolerance=0.02).holds
    assert not Check(name="a", planted=1.0, found=math.nan, tolerance=9.0).holds


def test_a_lost_copy_is_noticed(monkeypatch):
    spans = CopyIndex.spans
    monkeypatch.setattr(CopyIndex, "spans", lambda self, text: spans(self, text)[1:])
    out = [check.name for check in checks() if not check.holds]
    assert out == ["copies found, to the character"]


def test_a_model_of_too_low_an_order_is_out_of_tolerance(monkeypatch):
    model = selftest.NgramCounts.model
    monkeypatch.setattr(selftest.NgramCounts, "model", lambda self, order: model(self, order and 1))
    out = [check.name for check in checks() if not check.holds]
    assert out == ["n-gram of matching order, entropy of a Markov source"]


def test_the_entropy_of_a_source_is_what_its_text_costs_under_its_own_rows():
    generator = np.random.default_rng(3)
    source = MarkovSource.draw(generator)
    text = [("abcdef \n").index(c) for c in source.text(generator, 200_000)]
    bits = [
        -math.log2(source.rows[a * 8 + b, c])
        for a, b, c in zip(text, text[1:], text[2:], strict=False)
    ]
    assert np.mean(bits) == pytest.approx(source.entropy, rel=0.01)
    assert source.stationary.sum() == pytest.approx(1)
