"""A model's weights as the kernel reads them: packed, with a table for the characters of layer 0.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers, N highest order of n-grams,
R rows of the table: V, or 1 if the input of layer 0 is given. Every matrix but that of layer 0's
input is (rows, H): the weights of the states of layers 0 to L-1 and of the inputs of layers 1 to
L-1, (4H, H), and of the output, (V, H). Their order is hh 0, ih 1, hh 1, ih 2, ..., output.
"""

from ctypes import CDLL, byref
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.native.library import Network
from modeling.native.memory import empty
from modeling.native.ngrams import Ngrams


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of a model; torch differentiates from here to its parameters.

    Attributes:
        table: added to the gates of layer 0, including its bias, (R, 4H): by character, or one row
            if layer 0 has another input.
        input: weights of the other input of layer 0, (4H, E); None if there is none.
        direct: weights from that input to the output, (V, E); None if there are none.
        characters: the part of that input that is no n-gram, (V, E); None without `input`.
        biases: of the other layers, (L - 1, 4H).
        gain: of the LayerNorm, (H,); None without one.
        shift: of the LayerNorm, (H,); None without one.
        output_bias: (V,).
        matrices: 2L matrices, (rows, H).
        skip: every layer but the first adds its input to its output.
        embedded: that other input for one chunk, (T, B, E); None to look it up in the kernel.
    """

    table: Tensor
    input: Tensor | None
    direct: Tensor | None
    characters: Tensor | None
    biases: Tensor
    gain: Tensor | None
    shift: Tensor | None
    output_bias: Tensor
    matrices: tuple[Tensor, ...]
    skip: bool
    embedded: Tensor | None = None

    @classmethod
    def of(
        cls,
        characters: Tensor,
        layers: nn.ModuleList,
        norm: nn.Module,
        output: nn.Linear,
        direct: nn.Linear | None,
        *,
        skip: bool,
        ngrams: bool,
    ) -> "Weights":
        """Collect the parameters of torch's modules; each layer is one nn.LSTM.

        Args:
            characters: the embedding, (V, E).
            layers: L layers.
            norm: before the output layer.
            output: the output layer.
            direct: from the input to the output, past the layers.
            skip: as above.
            ngrams: whether layer 0 reads n-grams.
        """
        named = [dict(layer.named_parameters()) for layer in layers]
        biases = [names["bias_ih_l0"] + names["bias_hh_l0"] for names in named]
        first = named[0]["weight_ih_l0"]
        table = biases[0][None] if ngrams else functional.linear(characters, first, biases[0])
        matrices = [names[f"weight_{kind}_l0"] for names in named for kind in ("ih", "hh")][1:]
        return cls(
            table=table,
            input=first if ngrams else None,
            direct=None if direct is None else direct.weight,
            characters=characters if ngrams else None,
            biases=torch.stack(biases[1:]) if biases[1:] else table.new_empty((0, len(biases[0]))),
            gain=norm.weight if isinstance(norm, nn.LayerNorm) else None,
            shift=norm.bias if isinstance(norm, nn.LayerNorm) else None,
            output_bias=output.bias,
            matrices=(*matrices, output.weight),
            skip=skip,
        )

    def groups(self) -> dict[str, tuple[Tensor, ...]]:
        """Matrices by the field of `Network` that they are packed into."""
        return {
            "forward": self.matrices,
            "input": () if self.input is None else (self.input,),
            "direct": () if self.direct is None else (self.direct,),
        }


class PackedWeights:
    """A copy of the weights in the kernel's layout; tables of embeddings are not copied.

    Attributes:
        weights: that were packed.
        ngrams: to look up for each character; None to read `Weights.embedded`, or nothing.
        network: addresses of the packed weights.
        pointer: to `network`.
        products: multiplications per character.
    """

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
        """Pack weights.

        Args:
            library: the kernel.
            weights: float32 on the CPU.
            backward: also pack what gradients need.
            mixed: round the factors of products to bfloat16; sums stay float32.
            halves: round matrices to half precision, for reading single streams.
            ngrams: to look up for each character.

        Raises:
            ValueError: weights are not float32 on the CPU.
        """
        _check(weights)
        self.weights = weights = _rounded(weights) if halves else weights
        self.network = _network(weights, ngrams, mixed=mixed)
        self.pointer = byref(self.network)
        self.ngrams = ngrams
        self._kept: list[Tensor] = []
        groups = weights.groups()
        self.products = sum(matrix.numel() for group in groups.values() for matrix in group)
        for name, matrices in groups.items():
            prefix = "" if name == "forward" else f"{name}_"
            self._pack(library, name, matrices)
            if backward:
                self._pack(library, f"{prefix}backward", matrices, transposed=True)
            if halves and library.widens_halves():
                self._pack_halves(library, f"{prefix}halves", matrices)

    def _pack(
        self, library: CDLL, field: str, matrices: tuple[Tensor, ...], *, transposed: bool = False
    ) -> None:
        """Pack matrices, and store their address in a field of the network."""
        if matrices:
            mixed = bool(self.network.mixed)
            self._store(field, _packed(library, matrices, mixed=mixed, transposed=transposed))

    def _pack_halves(self, library: CDLL, field: str, matrices: tuple[Tensor, ...]) -> None:
        """The same in half precision, in panels of whole columns."""
        if matrices:
            width = library.packed_size(False, 1, 1)
            panels = [
                functional.pad(matrix, (0, 0, 0, -len(matrix) % width))
                .unflatten(0, (-1, width))
                .transpose(1, 2)
                .flatten()
                for matrix in matrices
            ]
            self._store(field, torch.cat(panels).half())

    def _store(self, field: str, packed: Tensor) -> None:
        self._kept.append(packed)
        setattr(self.network, field, packed.data_ptr())


def _check(weights: Weights) -> None:
    """Check the types of weights; the kernel reads them by address.

    Raises:
        ValueError: one is not float32 on the CPU.
    """
    inputs = (weights.table, weights.input, weights.direct, weights.characters)
    vectors = (weights.biases, weights.gain, weights.shift, weights.output_bias)
    for tensor in (*inputs, *vectors, *weights.matrices):
        if tensor is not None and (tensor.dtype, tensor.device.type) != (torch.float32, "cpu"):
            raise ValueError(f"weights: {tensor.dtype} on {tensor.device}, not float32 on cpu")


def _network(weights: Weights, ngrams: Ngrams | None, *, mixed: bool) -> Network:
    """The sizes and addresses of weights; the matrices are still to be packed."""
    vocabulary, hidden = weights.matrices[-1].shape
    network = Network(
        vocabulary=vocabulary,
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
    if ngrams is not None:
        ngrams.put(network)
        network.characters = _address(weights.characters)
    return network


def _rounded(weights: Weights) -> Weights:
    """Round the matrices to half precision (11 bits), clamped to its range of +-65,504."""

    def rounded(matrix: Tensor) -> Tensor:
        most = torch.finfo(torch.half).max
        return matrix.clamp(-most, most).half().float()

    first = None if weights.input is None else rounded(weights.input)
    direct = None if weights.direct is None else rounded(weights.direct)
    matrices = tuple(map(rounded, weights.matrices))
    return replace(weights, matrices=matrices, input=first, direct=direct)


def _packed(
    library: CDLL, matrices: tuple[Tensor, ...], *, mixed: bool, transposed: bool
) -> Tensor:
    """Pack matrices one after another, `transposed` for products with gradients."""
    shapes = [matrix.shape if transposed else matrix.shape[::-1] for matrix in matrices]
    sizes = [library.packed_size(mixed, *shape) for shape in shapes]
    packed = empty(library, sum(sizes))
    for matrix, shape, part in zip(matrices, shapes, packed.split(sizes), strict=True):
        row, column = matrix.stride() if transposed else matrix.stride()[::-1]
        library.pack(mixed, *shape, matrix.data_ptr(), row, column, part.data_ptr())
    return packed


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
