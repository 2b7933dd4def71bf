import numpy as np
import pytest
import torch

from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.models import build_model
from tests.modeling import texts


@pytest.fixture(scope="session")
def vocabulary():
    return texts.vocabulary()


@pytest.fixture(scope="session")
def documents():
    return texts.documents()


@pytest.fixture(scope="session")
def stream(documents):
    return np.concatenate(documents)


@pytest.fixture
def config():
    return TrainConfig(
        model=ModelConfig(
            embedding_size=8,
            hidden_size=16,
            num_layers=2,
            dropout=0.2,
            skip=True,
            ngram_order=3,
            ngram_rows=100,
            ngram_dropout=0.2,
        ),
        budget=Budget(epochs=3),
        batch_size=4,
        chunk_length=16,
        validation_every=0.2,
        validation_characters=400,
    )


@pytest.fixture
def model(config, vocabulary):
    """A model whose predictions differ from character to character."""
    torch.manual_seed(1)
    model = build_model(config.model, vocabulary.size)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.ngrams.table.normal_()
    return model.eval()
