"""The loss of a chunk and its gradients by the kernel, as one function that torch differentiates.

Equal to `CharLSTM.forward` and `cross_entropy` within float32 rounding, dropout included: its masks
are drawn from torch's generator as nn.Dropout draws them. The bits of what the kernel computes do
not depend on the number of threads.

Shapes: B streams, T characters, V ids, R rows of the table, E embedding, H hidden, L layers.
"""

from ctypes import CDLL, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from modeling.native.buffers import Buffers, State
from modeling.native.threads import share
from modeling.native.weights import PackedWeights, Weights


class ChunkLoss:
    """Computes the loss of chunk after chunk in the same memory."""

    def __init__(self, library: CDLL, dropout: float, *, mixed: bool = False) -> None:
        """Prepare.

        Args:
            library: the kernel.
            dropout: as in `ModelConfig`.
            mixed: whether products are of bfloat16, summed up in float32.
        """
        self._library = library
        self._dropout = dropout
        self._mixed = mixed
        self._buffers: Buffers | None = None

    def __call__(
        self, weights: Weights, ids: Tensor, targets: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Sum the negative log probabilities of the targets, in nats.

        Args:
            weights: of the model.
            ids: rows of the table, (B, T) int64.
            targets: (B, T) int64, negative where nothing is trained.
            state: before the chunk.

        Returns:
            The sum, to be differentiated before the next call, and the state after the chunk.
        """
        packed = PackedWeights(self._library, weights, backward=True, mixed=self._mixed)
        shape = tuple(ids.shape)
        buffers = self._buffers
        if buffers is None or (buffers.chunk.streams, buffers.chunk.length) != shape:
            buffers = self._buffers = Buffers(self._library, packed, *shape, keep=True)
        buffers.put(ids, targets)
        buffers.begin(state)
        buffers.read(None if weights.embedded is None else weights.embedded.contiguous())
        buffers.drop(self._masks(packed, *shape))
        given = (weights.table, weights.biases, weights.gain, weights.shift, weights.output_bias)
        given += (weights.embedded, weights.input)
        loss = _Loss.apply(self._library, packed, buffers, *given, *weights.matrices)
        return loss, buffers.state()

    def _masks(self, packed: PackedWeights, streams: int, length: int) -> Tensor | None:
        if not self._dropout:
            return None
        kept = 1 - self._dropout
        masks = torch.empty(packed.network.layers, length, streams, packed.network.hidden)
        for mask in masks:
            mask.bernoulli_(kept).div_(kept)
        return masks


_Two = c_void_p * 2
_Columns = c_int64 * 2


class _Loss(Function):
    @staticmethod
    def forward(
        ctx: Any, library: CDLL, packed: PackedWeights, buffers: Buffers, *weights: Tensor
    ) -> Tensor:
        ctx.call = (library, packed, buffers)
        ctx.ids = buffers.tensors["ids"]
        ctx.products = buffers.tensors["ids"].numel() * packed.products
        share(
            buffers.chunk.streams,
            lambda first, last: library.forward(packed.pointer, buffers.pointer, first, last),
            ctx.products,
        )
        return buffers.tensors["nats"].sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        library, packed, buffers = ctx.call
        tensors = buffers.tensors
        assert tensors["ids"] is ctx.ids, "the memory holds another chunk by now"
        for name in ("hidden_gradients", "cell_gradients", "gain_gradients", "shift_gradients"):
            tensors[name].zero_()
        buffers.chunk.scale = gradients[0].item()
        share(
            buffers.chunk.streams,
            lambda first, last: library.backward(packed.pointer, buffers.pointer, first, last),
            ctx.products,
        )
        normed = [None, None]
        if packed.network.norm:
            normed = [tensors[name].sum(dim=0) for name in ("gain_gradients", "shift_gradients")]
        table, biases, output_bias, matrices = _weight_gradients(
            library, buffers, packed, ctx.products
        )
        read = [None, None]
        if packed.weights.embedded is not None:
            read = [tensors["embedded_gradients"], matrices.pop(1)]
        return None, None, None, table, biases, *normed, output_bias, *read, *matrices


def _readers(
    tensors: dict[str, Tensor], gates: Tensor, logits: Tensor
) -> list[tuple[Tensor, list[Tensor]]]:
    """Gradients of gates (L, TB, 4H) and logits (TB, V), each with what its weights read."""
    states, inputs = tensors["hiddens"][:, :-1], tensors["inputs"]
    embedded = [tensors["embedded"]] if "embedded" in tensors else []
    first = (gates[0], [states[0], *embedded])
    others = [(gates[i], [inputs[i - 1], states[i]]) for i in range(1, len(gates))]
    return [first, *others, (logits, [tensors["features"]])]


def _weight_gradients(
    library: CDLL, buffers: Buffers, packed: PackedWeights, products: float
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Gradients of table, biases, output bias and matrices, input weights behind the first one.

    A thread has some rows of each.
    """
    tensors, ids = buffers.tensors, buffers.tensors["ids"]
    gates, logits = tensors["gates"].flatten(1, 2), tensors["logits"].flatten(0, 1)
    readers = _readers(tensors, gates, logits)
    width, vocabulary = gates.shape[-1], logits.shape[-1]
    matrices = [
        torch.empty(left.shape[1], other.shape[-1]) for left, read in readers for other in read
    ]
    table = torch.zeros(packed.weights.table.shape)
    biases, output_bias = torch.zeros(len(gates) - 1, width), torch.zeros(vocabulary)
    sums: list[tuple[Tensor, Tensor | None, Tensor]] = [(gates[0], ids, table)]
    sums += [(left, None, bias) for left, bias in zip(gates[1:], biases, strict=True)]
    sums.append((logits, None, output_bias))
    widest = max(matrix.shape[1] for matrix in matrices)

    def work(first: int, last: int) -> None:
        scratch, into = torch.empty(library.scratch_size(widest)), iter(matrices)
        for left, read in readers:
            start, end = (left.shape[1] * place // width for place in (first, last))
            library.transposed_products(
                *(packed.network.mixed, ids.numel(), end - start),
                _Columns(*(other.shape[-1] for other in read)),
                *(left[:, start:].data_ptr(), left.shape[1]),
                _Two(*(other.data_ptr() for other in read)),
                _Two(*(next(into)[start:].data_ptr() for _ in read)),
                scratch.data_ptr(),
            )
        for left, rows, total in sums:
            start, end = (left.shape[1] * place // width for place in (first, last))
            library.sum_rows(
                *(ids.numel(), end - start, None if rows is None else rows.data_ptr()),
                *(left[:, start:].data_ptr(), left.shape[1], total[..., start:].data_ptr()),
            )

    share(width, work, products)
    return table, biases, output_bias, matrices
