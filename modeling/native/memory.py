"""Memory for the kernel."""

from ctypes import CDLL

import torch
from torch import Tensor


def empty(library: CDLL, *shape: int) -> Tensor:
    """A float32 tensor, not filled, in large pages where the system has them to give."""
    tensor = torch.empty(shape)
    library.use_large_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor
