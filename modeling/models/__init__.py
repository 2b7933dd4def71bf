"""The architectures, by name. A new one is a file here and a line in MODELS."""

from modeling.config import ModelConfig
from modeling.models.lstm import CharLSTM

MODELS = {"lstm": CharLSTM}


def build_model(config: ModelConfig, vocabulary_size: int) -> CharLSTM:
    """Make a model with fresh parameters, drawn from torch's global generator.

    Raises:
        ValueError: the architecture is not in MODELS.
    """
    if config.architecture not in MODELS:
        known = ", ".join(MODELS)
        raise ValueError(f"unknown architecture {config.architecture!r}; known: {known}")
    return MODELS[config.architecture](config, vocabulary_size)
