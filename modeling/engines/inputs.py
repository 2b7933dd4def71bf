"""The chunk that an update reads, always in the same device memory.

If the whole text is kept on the device, the host sends three numbers per stream and the device
cuts the chunk out. If the text is too large for that, the host sends the text of every chunk.
Nothing here waits for the device.

Shapes: B streams, T characters a chunk, N characters of the text.
"""

import numpy as np
import torch
from torch import Tensor

from modeling.device import free_bytes
from modeling.engines.batches import IGNORED, Batch
from modeling.vocab import Ids

_SHARE = 4
"""A text may take this fraction, 1/4, of the free memory."""


class Inputs:
    """Sends one chunk after another to the device.

    Attributes:
        characters: number of targets in the chunk, of all processes, () float32.
    """

    def __init__(
        self, streams: int, vocabulary_size: int, device: torch.device, text: Ids | None = None
    ) -> None:
        """Allocate memory on the device.

        Args:
            streams: B.
            vocabulary_size: larger than every id.
            device: where the chunks are read.
            text: to keep on the device; all chunks must be cut from it. None to send the text of
                each chunk.
        """
        self._device = device
        self._type = _narrowest(vocabulary_size)
        self._resident = text
        self._text = None if text is None else self._narrow(text).to(device)
        self._places = torch.zeros(3, streams, dtype=torch.int64, device=device)
        self._offsets: Tensor | None = None
        self.characters = torch.ones((), device=device)

    def put(self, batch: Batch) -> None:
        """Send a chunk; the device must already have been given the work that cuts the last one.

        Args:
            batch: of B streams, with the same length as all others.
        """
        position, end = batch.position, batch.end
        if self._resident is None:
            window = self._narrow(batch.window)
            starts = np.arange(len(window)) * window.shape[1]
            position, end = starts, starts + (end - position)
            self._text = self._sent(window.flatten(), self._text)
        else:
            if batch.text is not self._resident:
                raise ValueError("another text is on the device")
        if self._offsets is None:
            self._offsets = torch.arange(batch.length, device=self._device)
        if len(self._offsets) != batch.length:
            raise ValueError("chunks must be of one length")
        places = np.stack((position, end, batch.carried.numpy()))
        self._sent(torch.from_numpy(places), self._places)
        self.characters.fill_(batch.characters)

    def cut(self) -> tuple[Tensor, Tensor, Tensor]:
        """The chunk: ids and targets, (B, T) int64, and `carried`, (B,) bool, as `Batch` has them.

        Nothing here needs the host, so it can be recorded as part of a CUDA graph.
        """
        assert self._text is not None
        assert self._offsets is not None
        position, end, carried = self._places.unbind()
        places = position.unsqueeze(1) + self._offsets
        ids, after = (self._text[(places + shift) % len(self._text)].long() for shift in (0, 1))
        return ids, torch.where(places < end.unsqueeze(1), after, IGNORED), carried.bool()

    def _narrow(self, ids: Ids) -> Tensor:
        return torch.from_numpy(ids.astype(self._type))

    def _sent(self, values: Tensor, to: Tensor | None) -> Tensor:
        """Copy values to the device without waiting, into `to` if given."""
        if to is None:
            to = torch.empty_like(values, device=self._device)
        if self._device.type == "cuda":
            values = values.pin_memory()
        return to.copy_(values, non_blocking=True)


def keeps(text: Ids, vocabulary_size: int, device: torch.device) -> bool:
    """Whether a device should keep a whole text: a GPU with enough free memory."""
    size = len(text) * np.dtype(_narrowest(vocabulary_size)).itemsize
    return device.type == "cuda" and size <= free_bytes(device) // _SHARE


def _narrowest(vocabulary_size: int) -> type[np.integer]:
    """The smallest integer type that holds the ids and that torch can copy and index."""
    if vocabulary_size <= 2**8:
        return np.uint8
    return np.int16 if vocabulary_size <= 2**15 else np.int32
