"""The loss of a chunk and its gradients by the kernel, as one differentiable function of torch.

It equals `CharLSTM.forward` followed by `cross_entropy` up to float32 rounding, including dropout,
whose masks are drawn from torch's generator in the order of nn.Dropout. The number of threads does
not change a bit of the result.

Shapes: B streams, T characters, V ids, R rows of the table, E embedding, H hidden, L layers; TB
means that both are flattened.
"""

from ctypes import CDLL, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from modeling.native.buffers import Buffers, State
from modeling.native.threads import share
from modeling.native.weights import PackedWeights, Weights


class ChunkLoss:
    """Computes the loss of one chunk after another in the same memory."""

    def __init__(self, library: CDLL, dropout: float, *, mixed: bool = False) -> None:
        """Create the loss; memory is allocated by the first call.

        Args:
            library: the kernel.
            dropout: as in `ModelConfig`.
            mixed: round the factors of products to bfloat16; sums stay float32.
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
            targets: (B, T) int64; negative ones are not trained.
            state: before the chunk.

        Returns:
            The sum, to differentiate before the next call, and the state after the chunk.
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
        loss = _Loss.apply(
            *(self._library, packed, buffers),
            *(weights.table, weights.biases, weights.gain, weights.shift, weights.output_bias),
            *(weights.embedded, weights.input, weights.direct),
            *weights.matrices,
        )
        return loss, buffers.state()

    def _masks(self, packed: PackedWeights, streams: int, length: int) -> Tensor | None:
        if not self._dropout:
            return None
        kept = 1 - self._dropout
        masks = torch.empty(packed.network.layers, length, streams, packed.network.hidden)
        for mask in masks:
            mask.bernoulli_(kept).div_(kept)
        return masks


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
        if tensors["ids"] is not ctx.ids:
            raise RuntimeError("the buffers already hold another chunk")
        for name in ("hidden_gradients", "cell_gradients", "gain_gradients", "shift_gradients"):
            tensors[name].zero_()
        buffers.chunk.scale = gradients[0].item()
        share(
            buffers.chunk.streams,
            lambda first, last: library.backward(packed.pointer, buffers.pointer, first, last),
            ctx.products,
        )
        gates, logits = tensors["gates"].flatten(1, 2), tensors["logits"].flatten(0, 1)
        products = _matrix_gradients(packed, tensors, gates, logits)
        table = torch.zeros(packed.weights.table.shape)
        biases = torch.zeros(len(gates) - 1, gates.shape[-1])
        output_bias = torch.zeros(logits.shape[-1])
        sums = [_RowSums(gates[0], tensors["ids"], table)]
        sums += [_RowSums(gates[i + 1], None, bias) for i, bias in enumerate(biases)]
        sums.append(_RowSums(logits, None, output_bias))
        _compute(library, products, sums, mixed=packed.network.mixed, work=ctx.products)
        matrices = [result for product in products for result in product.results]
        norm, embedded, direct = [None, None], [None, None], None
        if packed.network.norm:
            norm = [tensors[name].sum(dim=0) for name in ("gain_gradients", "shift_gradients")]
        if packed.weights.embedded is not None:
            # Layer 0 reads its state and then the embedding; see `_matrix_gradients`.
            embedded = [tensors["embedded_gradients"], matrices.pop(1)]
        if packed.weights.direct is not None:
            direct = matrices.pop()
        # In the order in which `ChunkLoss` passes the weights.
        return None, None, None, table, biases, *norm, output_bias, *embedded, direct, *matrices


_TwoPointers = c_void_p * 2
_TwoNumbers = c_int64 * 2


class _Products:
    """Gradients of one or two matrices: left^T @ input for each of the inputs.

    Attributes:
        left: gradients of what the matrices computed, gates or logits, (TB, rows).
        inputs: what the matrices read, each (TB, columns).
        results: each (rows, columns).
    """

    def __init__(self, left: Tensor, *inputs: Tensor) -> None:
        self.left, self.inputs = left, inputs
        self.results = [torch.empty(left.shape[1], values.shape[-1]) for values in inputs]

    def compute(self, library: CDLL, mixed: int, start: int, end: int, scratch: Tensor) -> None:
        """Compute the rows from `start` to `end` of the results."""
        library.transposed_products(
            mixed,
            len(self.left),
            end - start,
            _TwoNumbers(*(values.shape[-1] for values in self.inputs)),
            self.left[:, start:].data_ptr(),
            self.left.shape[1],
            _TwoPointers(*(values.data_ptr() for values in self.inputs)),
            _TwoPointers(*(result[start:].data_ptr() for result in self.results)),
            scratch.data_ptr(),
        )


@dataclass(frozen=True, slots=True)
class _RowSums:
    """The gradient of a bias: the sum of the rows of `left`, or of those with the same id.

    Attributes:
        left: as in `_Products`.
        ids: row of `total` to which each row of `left` is added, (TB,) elements; None for a vector.
        total: zeros, to be added to.
    """

    left: Tensor
    ids: Tensor | None
    total: Tensor

    def compute(self, library: CDLL, start: int, end: int) -> None:
        """Compute the columns from `start` to `end` of the total."""
        library.sum_rows(
            len(self.left),
            end - start,
            None if self.ids is None else self.ids.data_ptr(),
            self.left[:, start:].data_ptr(),
            self.left.shape[1],
            self.total[..., start:].data_ptr(),
        )


def _matrix_gradients(
    packed: PackedWeights, tensors: dict[str, Tensor], gates: Tensor, logits: Tensor
) -> list[_Products]:
    """The gradients of all matrices, not computed yet.

    Args:
        packed: the weights.
        tensors: of the chunk.
        gates: their gradients, (L, TB, 4H).
        logits: their gradients, (TB, V).

    Returns:
        One for each layer, and one for the output layer.
    """
    states, inputs = tensors["hiddens"][:, :-1], tensors["inputs"]
    embedded = [tensors["embedded"]] if "embedded" in tensors else []
    first = _Products(gates[0], states[0], *embedded)
    others = [_Products(gates[i], inputs[i - 1], states[i]) for i in range(1, len(gates))]
    direct = embedded if packed.weights.direct is not None else []
    return [first, *others, _Products(logits, tensors["features"], *direct)]


def _compute(
    library: CDLL, products: list[_Products], sums: list[_RowSums], *, mixed: int, work: float
) -> None:
    """Compute all gradients; each thread computes the same share of the rows of each."""
    widest = max(result.shape[1] for product in products for result in product.results)
    parts = products[0].left.shape[1]

    def compute(first: int, last: int) -> None:
        scratch = torch.empty(library.scratch_size(widest))
        for product in products:
            rows = product.left.shape[1]
            product.compute(library, mixed, rows * first // parts, rows * last // parts, scratch)
        for total in sums:
            columns = total.left.shape[1]
            total.compute(library, columns * first // parts, columns * last // parts)

    share(parts, compute, work)
