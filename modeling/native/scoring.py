"""Negative log probabilities of a given text, by the kernel.

Shapes: B streams, T characters.
"""

from ctypes import CDLL

from torch import Tensor

from modeling.native.buffers import Buffers, State
from modeling.native.threads import share
from modeling.native.weights import PackedWeights


def nats_of(
    library: CDLL,
    packed: PackedWeights,
    ids: Tensor,
    targets: Tensor,
    state: State,
    before: Tensor,
) -> tuple[Tensor, State]:
    """Compute the negative log probability of every target.

    Args:
        library: the kernel.
        packed: the model.
        ids: (B, T) int64.
        targets: (B, T) int64; negative ones give 0.
        state: before the chunk.
        before: the last N - 1 characters before the chunk, oldest first, and the layout's state if
            there is one, (M, B, 1) int64.

    Returns:
        -log of the probabilities, (B, T) float32, and the state after the chunk.

    Raises:
        IndexError: an id is out of range.
        ValueError: a shape or a type is wrong.
    """
    characters, lines = _divided(packed, before)
    buffers = Buffers(library, packed, *ids.shape, keep=False)
    buffers.put(ids, targets)
    buffers.begin(state)
    buffers.tensors["before"].copy_(characters.flip(1))
    if packed.network.kinds:
        buffers.tensors["lines"].copy_(lines)
    share(
        len(ids),
        lambda first, last: library.forward(packed.pointer, buffers.pointer, first, last),
        ids.numel() * packed.products,
    )
    return buffers.tensors["nats"].t(), buffers.state()


def _divided(packed: PackedWeights, before: Tensor) -> tuple[Tensor, Tensor]:
    """The characters before the chunk, (B, N - 1), and the layout's state, (B, 0 or 2)."""
    size = packed.network.vocabulary
    numbers = before.squeeze(2).t()
    width = numbers.shape[1] - (2 if packed.network.kinds else 0)
    characters, lines = numbers[:, :width], numbers[:, width:]
    if characters.numel() and not 0 <= int(characters.min()) <= int(characters.max()) < size:
        raise IndexError(f"an id before the chunk is not one of {size}")
    if lines.numel() and int(lines[:, 0].min()) < 0:
        raise IndexError("a column before the chunk is negative")
    return characters, lines
