"""Memory for the kernel's tensors, and checks of what it reads by address."""

from ctypes import CDLL

import torch
from torch import Tensor


def empty(library: CDLL, *shape: int) -> Tensor:
    """Allocate an uninitialised float32 tensor, in large pages if the system has them."""
    tensor = torch.empty(shape)
    library.use_large_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor


def check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Check what the kernel reads by address; an assertion would not do, `python -O` drops those.

    Raises:
        ValueError: the shape, type or device differs.
    """
    if tuple(tensor.shape) != shape or tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ValueError(
            f"{name}: {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, "
            f"not {shape} {dtype} on cpu"
        )


def check_ids(name: str, ids: Tensor, size: int) -> None:
    """Check that ids are in range; the kernel would read outside the model's memory.

    Raises:
        IndexError: one is not in range(size).
    """
    if ids.numel():
        low, high = map(int, ids.aminmax())
        if low < 0 or high >= size:
            raise IndexError(f"{name} from {low} to {high}, not in range({size})")
