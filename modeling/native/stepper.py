"""Reading and writing streams one character at a time, by the kernel.

The bits of a stream depend neither on the other streams nor on the number of threads.

Shapes: B streams, K characters, V ids.
"""

from ctypes import CDLL

import torch
from torch import Tensor

from modeling.native.buffers import Buffers, check_tensor
from modeling.native.threads import share
from modeling.native.weights import PackedWeights


class NativeStepper:
    """Reads B streams without dropout and without gradients."""

    def __init__(self, library: CDLL, packed: PackedWeights, batch_size: int, mark: int) -> None:
        """Start with zero state.

        Args:
            library: the kernel.
            packed: the model.
            batch_size: B.
            mark: the id that resets its stream to zero state.
        """
        self._library = library
        self._packed = packed
        self._buffers = Buffers(library, packed, batch_size, 1, keep=False)
        self._buffers.chunk.mark = mark
        for name in ("hiddens", "cells"):
            self._buffers.tensors[name].zero_()

    def step(self, ids: Tensor) -> Tensor:
        """Read one character of every stream.

        Args:
            ids: (B,) int64.

        Returns:
            Logits of the next character, (B, V) float32.
        """
        call = self._buffers
        call.put(ids[:, None], None)
        call.tensors["runs"][:] = torch.stack((ids, torch.ones_like(ids)), dim=1)
        self._library.forward(self._packed.pointer, call.pointer, 0, len(ids))
        return call.tensors["logits"][0].clone()

    def draw(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Write K characters, each the id with the largest sum of logit and noise.

        Args:
            noise: (B, K, V) float32.
            temperature: of the noise, if it is below 1 and must not sharpen long runs.

        Returns:
            (B, K) int64. `step` must have been called; the last character has been read.
        """
        call = self._buffers
        network = self._packed.network
        shape = (call.chunk.streams, noise.shape[1], network.vocabulary)
        check_tensor("noise", noise, shape, torch.float32)
        noise = noise.contiguous()
        call.chunk.temperature = temperature
        call.put(torch.zeros(noise.shape[:2], dtype=torch.int64), None)
        share(
            len(noise),
            lambda first, last: self._library.draw(
                self._packed.pointer, call.pointer, noise.data_ptr(), first, last
            ),
            noise.shape[0] * noise.shape[1] * self._packed.products,
        )
        return call.tensors["ids"].t()
