"""The budget of a training: the learning rate over it, and how much of it is spent."""

import math

from modeling.config import Budget, TrainConfig
from modeling.training.progress import Totals

_SHORT_EPOCHS = 2
"""Jumps gained .03 bits when the budget covered one epoch; from three epochs up, nothing."""


def learning_rate_at(config: TrainConfig, fraction: float) -> float:
    """Linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017).

    Args:
        config: of the training.
        fraction: spent share of the budget, 0 to 1.
    """
    if fraction < config.warmup:
        return config.learning_rate * fraction / config.warmup
    progress = (fraction - config.warmup) / (1 - config.warmup)
    return config.learning_rate * (1 + math.cos(math.pi * progress)) / 2


class BudgetMeter:
    """Measures how much of a budget a training has spent."""

    def __init__(self, budget: Budget, characters_per_epoch: int) -> None:
        self._seconds = budget.seconds
        self._epoch = characters_per_epoch
        self._characters = budget.characters or max(
            1, round((budget.epochs or 0) * characters_per_epoch)
        )

    def fraction(self, totals: Totals) -> float:
        """Spent share of the budget, 0 to 1."""
        if self._seconds is None:
            return min(1.0, totals.characters / self._characters)
        # Time is reserved for the validation after the last update; half of it is for training.
        others = totals.preparation + totals.longest_validation
        training = max(self._seconds - others, self._seconds / 2)
        return min(1.0, (totals.seconds - totals.preparation) / training)

    def is_short(self, totals: Totals) -> bool:
        """Whether the budget covers fewer than two epochs; estimated if it is in seconds."""
        enough = _SHORT_EPOCHS * self._epoch
        if self._seconds is None:
            return self._characters < enough
        return totals.characters <= self.fraction(totals) * enough
