"""The time that a recipe gets, by a clock that only its updates move."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import train


class Counter(nn.Module):
    """Counts its updates in its weights."""

    def __init__(self):
        super().__init__()
        self.count = nn.Parameter(torch.zeros(()), requires_grad=False)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def trained(seconds, update_takes, bits):
    clock, predictor, shares = Clock(), Counter(), []

    def update(spent):
        clock.now += update_takes
        predictor.count += 1
        shares.append(spent)

    def score():
        clock.now += 1000
        return bits(int(predictor.count))

    updates, spent = train(predictor, update, score, seconds, clock)
    assert updates == len(shares)
    return predictor, shares, spent


def test_a_recipe_gets_its_seconds_and_scoring_takes_none_of_them():
    predictor, shares, spent = trained(60, 0.5, lambda count: -count)
    assert spent == 60
    assert int(predictor.count) == len(shares) == 120
    assert shares == pytest.approx(np.arange(120) / 120)


def test_one_update_may_go_over_the_budget_but_no_second_one():
    predictor, _, spent = trained(10, 7, lambda count: -count)
    assert (int(predictor.count), spent) == (2, 14)


def test_the_weights_with_the_best_validation_text_count():
    predictor, shares, _ = trained(60, 0.5, lambda count: abs(count - 36))
    assert int(predictor.count) == 36
    assert len(shares) == 120
