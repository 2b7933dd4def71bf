"""The device that CHARMILL_DEVICE names."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from flows.errors import OptionError

if TYPE_CHECKING:
    import torch


def device_of(name: str) -> "torch.device":
    """Find the device called `name`.

    Raises:
        OptionError: if this machine has no such device.
    """
    from modeling.device import choose_device
    from modeling.errors import DeviceError

    try:
        return choose_device(name)
    except DeviceError as error:
        raise OptionError(f"CHARMILL_DEVICE: {error}") from None


def device_name(name: str) -> str:
    """`str(device_of(name))`, computed in a separate process.

    For a long-running process that computes nothing: torch would take 200 MB of its memory.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_name_of, name).result()


def _name_of(name: str) -> str:
    return str(device_of(name))
