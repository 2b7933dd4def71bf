"""The learning rate over a budget."""

import math

from modeling.config import TrainConfig


def learning_rate_at(config: TrainConfig, fraction: float) -> float:
    """Linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017), by fraction of budget."""
    if fraction < config.warmup:
        return config.learning_rate * fraction / config.warmup
    turned = (fraction - config.warmup) / (1 - config.warmup)
    return config.learning_rate * (1 + math.cos(math.pi * turned)) / 2
