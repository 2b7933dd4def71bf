"""Effect of the number of streams in a batch: none with the kernel, rounding with torch."""

import numpy as np
import pytest
import torch

from modeling.config import ModelConfig
from modeling.inference.sampling import sample
from modeling.inference.settings import SamplingSettings
from modeling.models import build_model
from modeling.models.lstm import LSTMStepper
from tests.modeling.gpu import DEVICES
from tests.modeling.native.compiler import needs_compiler


def texts(model, vocabulary, seeds):
    return np.concatenate(
        list(sample(model, vocabulary, seeds, SamplingSettings(length=300))), axis=1
    )


@needs_compiler
def test_by_the_kernel_a_seed_gives_the_same_text_whatever_streams_are_in_its_batch(
    vocabulary, config, monkeypatch
):
    monkeypatch.setenv("CHARMILL_NATIVE", "1")
    torch.manual_seed(0)
    model = build_model(config.model, vocabulary.size).eval()
    together = texts(model, vocabulary, range(40))
    for seeds in ([0], [39], [5, 3], range(7, 20), [1, 1, 2, 30, 4]):
        alone = texts(model, vocabulary, seeds)
        assert np.array_equal(alone, together[list(seeds)])
    assert len(np.unique(together, axis=0)) == 40


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("order", [0, 5])
def test_by_torch_logits_agree_within_rounding_whatever_streams_are_in_the_batch(
    vocabulary, device, order
):
    torch.manual_seed(0)
    shape = ModelConfig(hidden_size=256, num_layers=2, ngram_order=order, ngram_rows=500)
    model = build_model(shape, vocabulary.size).eval().to(device)
    ids = torch.randint(vocabulary.size, (50, 64), device=device)
    many = LSTMStepper(model, 64)
    fewer = {streams: LSTMStepper(model, streams) for streams in (1, 3, 4, 6, 12)}
    for column in ids:
        logits = many.step(column)
        near = (1e-3 if device == "cuda" else 1e-5) * logits.abs().max().item()
        for streams, stepper in fewer.items():
            alone = stepper.step(column[:streams])
            torch.testing.assert_close(alone, logits[:streams], rtol=0, atol=near)
