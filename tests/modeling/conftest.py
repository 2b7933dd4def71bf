import os
import shlex
import shutil

import numpy as np
import pytest
import torch

from modeling.config import Budget, ModelConfig, TrainConfig
from modeling.models import build_model
from modeling.native import compilation
from modeling.native import library as module
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


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """The state of a process that has not loaded the kernel, for a user with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # These tests do not depend on the speed of the library.
    monkeypatch.setattr(compilation, "_OPTIONS", ("-O0", *compilation._OPTIONS[1:]))
    module._loaded.cache_clear()
    yield tmp_path / "cache" / "charmill"
    module._loaded.cache_clear()


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Writes a shell script to use as the compiler; `$REAL` is the real one."""

    def write(script):
        path = tmp_path / "a compiler"
        real = os.environ.get("CC", "cc")
        path.write_text(f"#!/bin/sh\nREAL={shlex.quote(real)}\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("CC", shlex.quote(str(path)))

    return write


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the sources, to be edited."""
    copy = tmp_path / "sources"
    shutil.copytree(module._FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_FOLDER", copy)
    return copy
