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
    buffers = Buffers(library, packed, *ids.shape, keep=False)
    buffers.put(ids, targets)
    buffers.begin(state)
    if packed.ngrams is not None:
        characters, lines = packed.ngrams.divided(before, len(ids))
        buffers.tensors["before"].copy_(characters)
        buffers.tensors["lines"].copy_(lines)
    share(
        len(ids),
        lambda first, last: library.forward(packed.pointer, buffers.pointer, first, last),
        ids.numel() * packed.products,
    )
    return buffers.tensors["nats"].t(), buffers.state()
