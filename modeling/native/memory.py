"""Memory for the kernel's tensors."""

from ctypes import CDLL

import torch
from torch import Tensor


def empty(library: CDLL, *shape: int) -> Tensor:
    """Allocate an uninitialised float32 tensor, in large pages if the system has them."""
    tensor = torch.empty(shape)
    library.use_large_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor
