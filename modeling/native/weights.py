"""A model's weights as the kernel reads them: packed, the first layer's characters as a table.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers, N order of the n-grams, R
rows of the table: V, or 1 where what layer 0 reads is given. Every matrix but that of the first
layer's input is (rows, H): the weights of the states of layers 0 to L-1 and of the inputs of layers
1 to L-1, (4H, H), and of the output, (V, H). They stand in the order hh 0, ih 1, hh 1, ih 2, ...,
output.
"""

from ctypes import CDLL, byref
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.native.library import Network
from modeling.native.memory import empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Ngrams:
    """What `NgramEmbedding` adds to the first layer's input, N being its highest order.

    Attributes:
        table: (rows of each order times N - 1, E), and perhaps rows that are not read.
        rows: of each order.
        codes: (V,) int64.
        powers: (N,) int64.
    """

    table: Tensor
    rows: int
    codes: Tensor
    powers: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a model multiplies with; torch differentiates from here back to its parameters.

    Attributes:
        table: what layer 0 adds to its gates, its bias included, (R, 4H).
        input: weights of what layer 0 reads besides, (4H, E); None if nothing.
        embedded: that, in one chunk, (T, B, E); None if n-grams are looked up.
        biases: of the other layers, (L - 1, 4H).
        gain: of the LayerNorm, (H,); None without one.
        shift: the same.
        output_bias: (V,).
        matrices: 2L matrices, (rows, H).
        skip: every layer but the first adds its input to its output.
    """

    table: Tensor
    input: Tensor | None
    embedded: Tensor | None
    biases: Tensor
    gain: Tensor | None
    shift: Tensor | None
    output_bias: Tensor
    matrices: tuple[Tensor, ...]
    skip: bool

    @classmethod
    def of(
        cls,
        characters: Tensor,
        layers: nn.ModuleList,
        norm: nn.Module,
        output: nn.Linear,
        *,
        skip: bool,
        ngrams: bool,
        embedded: Tensor | None = None,
    ) -> "Weights":
        """Take the parameters of torch's modules, each layer one nn.LSTM.

        Args:
            characters: the embedding, (V, E).
            layers: L of them.
            norm: before the output.
            output: of the model.
            skip: as above.
            ngrams: whether they are read besides the characters.
            embedded: characters and n-grams of one chunk, (T, B, E).
        """
        named = [dict(layer.named_parameters()) for layer in layers]
        biases = [names["bias_ih_l0"] + names["bias_hh_l0"] for names in named]
        first = named[0]["weight_ih_l0"]
        bias = biases[0].unsqueeze(0)
        table = functional.linear(characters, first, biases[0]) if embedded is None else bias
        matrices = [names[f"weight_{kind}_l0"] for names in named for kind in ("ih", "hh")][1:]
        return cls(
            table=table,
            input=first if ngrams else None,
            embedded=embedded,
            biases=torch.stack(biases[1:]) if biases[1:] else table.new_empty((0, len(biases[0]))),
            gain=norm.weight if isinstance(norm, nn.LayerNorm) else None,
            shift=norm.bias if isinstance(norm, nn.LayerNorm) else None,
            output_bias=output.bias,
            matrices=(*matrices, output.weight),
            skip=skip,
        )


class PackedWeights:
    """Weights in the kernel's layout, copies of what they were, but for the n-grams' table."""

    def __init__(
        self,
        library: CDLL,
        weights: Weights,
        *,
        backward: bool = False,
        mixed: bool = False,
        halves: bool = False,
        ngrams: Ngrams | None = None,
    ) -> None:
        """Pack.

        Args:
            library: the kernel.
            weights: float32 on the CPU.
            backward: whether gradients will be asked for.
            mixed: whether products are of bfloat16, summed up in float32.
            halves: whether matrices are rounded to half precision, for reading single streams.
            ngrams: to be looked up character by character.
        """
        if halves:
            weights = _rounded(weights)
        output, hidden = weights.matrices[-1].shape
        self.weights = weights
        self._ngrams = ngrams
        self._kept: list[Tensor] = []
        self.network = Network(
            vocabulary=output,
            hidden=hidden,
            layers=len(weights.matrices) // 2,
            norm=weights.gain is not None,
            skip=weights.skip,
            mixed=mixed,
            table=weights.table.data_ptr(),
            biases=weights.biases.data_ptr(),
            gain=_address(weights.gain),
            shift=_address(weights.shift),
            output_bias=weights.output_bias.data_ptr(),
            embedding=0 if weights.input is None else weights.input.shape[1],
        )
        self.pointer = byref(self.network)
        inputs = () if weights.input is None else (weights.input,)
        self._pack(library, weights.matrices, "forward", "backward" if backward else None)
        self._pack(library, inputs, "input", "input_backward" if backward else None)
        if halves and library.widens_halves():
            self.network.halves = self._pack_halves(library, weights.matrices)
            self.network.input_halves = self._pack_halves(library, inputs)
        self.products = sum(matrix.numel() for matrix in (*weights.matrices, *inputs))
        """Multiplications for one character."""
        if ngrams is not None:
            self._look_up(ngrams)

    def _pack(
        self, library: CDLL, matrices: tuple[Tensor, ...], name: str, transposed: str | None
    ) -> None:
        """Let the network's fields of these names point to the matrices, packed."""
        for field, way in ((name, False), (transposed, True)):
            if field and matrices:
                mixed = bool(self.network.mixed)
                self._kept.append(_packed(library, matrices, mixed=mixed, transposed=way))
                setattr(self.network, field, self._kept[-1].data_ptr())

    def _pack_halves(self, library: CDLL, matrices: tuple[Tensor, ...]) -> int | None:
        """Address of the matrices in half precision, each in panels of all its columns."""
        if not matrices:
            return None
        width = library.packed_size(False, 1, 1)
        panels = [
            functional.pad(matrix, (0, 0, 0, -len(matrix) % width))
            .unflatten(0, (-1, width))
            .transpose(1, 2)
            .flatten()
            for matrix in matrices
        ]
        self._kept.append(torch.cat(panels).half())
        return self._kept[-1].data_ptr()

    def _look_up(self, ngrams: Ngrams) -> None:
        network = self.network
        network.order, network.rows = len(ngrams.powers), ngrams.rows
        network.ngrams = ngrams.table.data_ptr()
        network.codes, network.powers = ngrams.codes.data_ptr(), ngrams.powers.data_ptr()


def _rounded(weights: Weights) -> Weights:
    """The same with matrices that half precision holds exactly, 11 bits a number.

    Numbers beyond 65,504, which half precision lacks, become that.
    """

    def read(matrix: Tensor) -> Tensor:
        most = torch.finfo(torch.half).max
        return matrix.clamp(-most, most).half().float()

    given = None if weights.input is None else read(weights.input)
    return replace(weights, matrices=tuple(map(read, weights.matrices)), input=given)


def _packed(
    library: CDLL, matrices: tuple[Tensor, ...], *, mixed: bool, transposed: bool
) -> Tensor:
    """Pack all matrices, `transposed` for products with gradients, one after another."""
    shapes = [matrix.shape if transposed else matrix.shape[::-1] for matrix in matrices]
    sizes = [library.packed_size(mixed, *shape) for shape in shapes]
    packed = empty(library, sum(sizes))
    for matrix, shape, part in zip(matrices, shapes, packed.split(sizes), strict=True):
        row, column = matrix.stride() if transposed else matrix.stride()[::-1]
        library.pack(mixed, *shape, matrix.data_ptr(), row, column, part.data_ptr())
    return packed


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
