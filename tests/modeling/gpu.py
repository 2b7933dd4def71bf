"""Marks for tests that a GPU, where there is one, must pass too."""

import pytest
import torch

NEEDS_GPU = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
)
DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_GPU)]
