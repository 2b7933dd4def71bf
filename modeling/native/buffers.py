"""The memory of a chunk, and the structure through which the kernel accesses it.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers, N order of the n-grams.
"""

from ctypes import CDLL, byref

import torch
from torch import Tensor

from modeling.native.library import Chunk, Network
from modeling.native.memory import check_ids, check_tensor, empty
from modeling.native.weights import PackedWeights

State = tuple[Tensor, Tensor]
"""(hidden, cell), each (L, B, H)."""


class Buffers:
    """Memory for one chunk: for all its time steps (`keep`), or for one that all of them share.

    Attributes:
        tensors: by name, as described in `structures.h`.
        chunk: addresses of the tensors.
    """

    def __init__(
        self, library: CDLL, packed: PackedWeights, streams: int, length: int, *, keep: bool
    ) -> None:
        shapes = _shapes(packed.network, streams, length, keep=keep)
        self.tensors = {name: empty(library, *shape) for name, shape in shapes.items()}
        before = (streams, max(packed.network.order - 1, 0))
        self.tensors["before"] = torch.zeros(before, dtype=torch.int64)
        for name in ("lines", "runs"):
            self.tensors[name] = torch.zeros((streams, 2), dtype=torch.int64)
        self.chunk = Chunk(
            streams=streams,
            length=length,
            mark=-1,
            keep=keep,
            room=self.tensors["words"].shape[1],
            **{name: tensor.data_ptr() for name, tensor in self.tensors.items()},
        )
        self.pointer = byref(self.chunk)
        self._vocabulary = packed.network.vocabulary
        self._rows = self._vocabulary if packed.network.order else len(packed.weights.table)
        self._hidden, self._embedding = packed.network.hidden, packed.network.embedding

    def put(self, ids: Tensor, targets: Tensor | None) -> None:
        """Set the characters of a chunk.

        Args:
            ids: rows of the table, or characters to look up, (B, T) int64; without `keep` and
                targets, T may differ.
            targets: (B, T) int64, negative ones are ignored; None for no targets.

        Raises:
            IndexError: an id is out of range; the kernel would read outside the model's memory.
            ValueError: a shape or type differs from that of the chunk, likewise.
        """
        fits_any = targets is None and not self.chunk.keep
        length = ids.shape[-1] if fits_any else len(self.tensors["nats"])
        shape = (self.chunk.streams, length)
        check_tensor("ids", ids, shape, torch.int64)
        if targets is not None:
            check_tensor("targets", targets, shape, torch.int64)
        check_ids("ids", ids, self._rows)
        if targets is not None and int(targets.max()) >= self._vocabulary:
            raise IndexError(f"target {int(targets.max())}, of {self._vocabulary} ids")
        self._point("ids", ids.t().contiguous())
        self._point("targets", None if targets is None else targets.t().contiguous())
        self.chunk.length = ids.shape[1]

    def begin(self, state: State) -> None:
        """Set the state before the chunk."""
        for name, part in zip(("hiddens", "cells"), state, strict=True):
            check_tensor(name, part, tuple(self.tensors[name][:, 0].shape), torch.float32)
            self.tensors[name][:, 0] = part

    def read(self, embedded: Tensor | None) -> None:
        """Set the input of layer 0 other than the table, (T, B, E), or none."""
        if embedded is not None:
            shape = (self.chunk.length, self.chunk.streams, self._embedding)
            check_tensor("embedded", embedded, shape, torch.float32)
        self._point("embedded", embedded)

    def drop(self, masks: Tensor | None) -> None:
        """Set the dropout factors, (L, T, B, H), or none."""
        if masks is not None:
            shape = tuple(self.tensors["gates"].shape[:-1])
            check_tensor("masks", masks, (*shape, self._hidden), torch.float32)
        self._point("masks", masks)

    def state(self) -> State:
        """Return a copy of the state after the chunk."""
        hidden, cell = (self.tensors[name][:, -1].clone() for name in ("hiddens", "cells"))
        return hidden, cell

    def _point(self, name: str, tensor: Tensor | None) -> None:
        if tensor is None:
            self.tensors.pop(name, None)
            setattr(self.chunk, name, None)
        else:
            self.tensors[name] = tensor = tensor.contiguous()
            setattr(self.chunk, name, tensor.data_ptr())


def _shapes(
    network: Network, streams: int, length: int, *, keep: bool
) -> dict[str, tuple[int, ...]]:
    """Shapes of all float32 tensors, by name."""
    layers, hidden, vocabulary = network.layers, network.hidden, network.vocabulary
    steps, states = (length, length + 1) if keep else (1, 1)
    one, each = (steps, streams), (layers, steps, streams)
    widest = max(4 * hidden, vocabulary, network.embedding)
    room = (widest + 1) // 2 if network.mixed else 0
    shapes = {
        "gates": (*each, 4 * hidden),
        "cells": (layers, states, streams, hidden),
        "hiddens": (layers, states, streams, hidden),
        "inputs": (layers - 1, *one, hidden),
        "normed": (*one, hidden),
        "rstd": one,
        "features": (*one, hidden),
        "logits": (*one, vocabulary),
        "nats": (length, streams),
        "values": (streams, hidden),
        "vectors": (streams, network.embedding),
        "words": (streams, room),
    }
    if keep:
        for name in ("hidden_gradients", "cell_gradients"):
            shapes[name] = (layers, streams, hidden)
        for name in ("input_gradients", "gain_gradients", "shift_gradients"):
            shapes[name] = (streams, hidden)
        shapes["embedded_gradients"] = (*one, network.embedding)
    return shapes
