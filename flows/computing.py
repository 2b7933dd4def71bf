"""The device that the user asked for; a wrong wish is the user's mistake, said in one line."""

from typing import TYPE_CHECKING

from flows.run import OptionError

if TYPE_CHECKING:
    import torch


def device_of(name: str) -> "torch.device":
    """Find the device called `name`.

    Raises:
        OptionError: there is no such device here.
    """
    from modeling.device import choose_device

    try:
        return choose_device(name)
    except ValueError as error:
        raise OptionError(f"CHARMILL_DEVICE: {error}") from None
