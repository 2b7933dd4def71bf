import pytest
import torch

from modeling.native import threads


@pytest.fixture
def many_threads(monkeypatch):
    """Divide even the smallest work among as many threads as torch has."""
    monkeypatch.setattr(threads, "_PRODUCTS", 1)
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
