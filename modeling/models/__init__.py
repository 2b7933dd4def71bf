"""The architectures by name. A new one is a file in this folder and a line in MODELS."""

from modeling.config import ModelConfig
from modeling.errors import ConfigError
from modeling.models.lstm import CharLSTM
from modeling.models.model import CharModel

MODELS: dict[str, type[CharModel]] = {"lstm": CharLSTM}


def model_class(config: ModelConfig) -> type[CharModel]:
    """Look up the class of an architecture.

    Raises:
        ConfigError: the architecture is not in MODELS.
    """
    if config.architecture not in MODELS:
        known = ", ".join(MODELS)
        raise ConfigError(f"unknown architecture {config.architecture!r}; known: {known}")
    return MODELS[config.architecture]


def build_model(config: ModelConfig, vocabulary_size: int) -> CharModel:
    """Create a model with initial weights drawn from torch's global generator.

    Raises:
        ConfigError: the architecture is not in MODELS.
    """
    return model_class(config)(config, vocabulary_size)


__all__ = ["MODELS", "build_model", "model_class"]
