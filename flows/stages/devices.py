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
        OptionError: there is no such device here.
    """
    from modeling.device import choose_device
    from modeling.errors import DeviceError

    try:
        return choose_device(name)
    except DeviceError as error:
        raise OptionError(f"CHARMILL_DEVICE: {error}") from None


def device_name(name: str) -> str:
    """As `str(device_of(name))`, found in a process of its own.

    For a process that lives long and computes nothing: torch would take 200 MB of it.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_name_of, name).result()


def _name_of(name: str) -> str:
    return str(device_of(name))
