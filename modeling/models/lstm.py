"""The character LSTM: embeddings, LSTM layers, optional LayerNorm, linear output.

The parameters are those of torch's own modules, so one set of weights serves cuDNN, the kernel in
`modeling.native`, and `LSTMStepper`, which steps by hand where there is no kernel: torch's LSTM
re-packs all weights at every call and is five times slower one character at a time.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers, N order of the n-grams.
"""

import copy
from ctypes import CDLL

import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.config import ModelConfig
from modeling.models.ngrams import NgramEmbedding
from modeling.native.library import library
from modeling.native.stepper import NativeStepper
from modeling.native.weights import PackedWeights, Weights
from modeling.vocab import MARK_ID

State = tuple[Tensor, Tensor, Tensor]
"""(hidden, cell, before): the first two (L, B, H) float32; the last characters read, oldest first,
(N - 1, B, 1) int64, (0, B, 1) without n-grams. All zeros before a document: the mark has id 0."""


class CharLSTM(nn.Module):
    """Predicts the next character from all before it."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        widths = [config.embedding_size] + [hidden] * (config.num_layers - 1)
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size)
        self.ngrams = None
        if config.ngram_order:
            self.ngrams = NgramEmbedding(
                config.ngram_order,
                config.ngram_rows,
                config.embedding_size,
                config.ngram_dropout,
                vocabulary_size,
            )
        self.layers = nn.ModuleList(Layer(width, hidden) for width in widths)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(hidden) if config.output_norm else nn.Identity()
        self.output = nn.Linear(hidden, vocabulary_size)
        if config.tied:
            self.embedding.weight = self.output.weight

    def tables(self) -> list[nn.Parameter]:
        """The n-grams' table, if there is one: an update touches a few of its rows."""
        return [] if self.ngrams is None else list(self.ngrams.parameters())

    def dense_parameters(self) -> list[nn.Parameter]:
        """All others."""
        tables = self.tables()
        return [weight for weight in self.parameters() if all(weight is not t for t in tables)]

    def copied(self) -> "CharLSTM":
        """Another model with these weights, each layer's in one piece, as cuDNN wants them."""
        model = copy.deepcopy(self)
        for layer in model.layers:
            assert isinstance(layer, nn.LSTM)
            layer.flatten_parameters()
        return model

    def zero_state(self, batch_size: int) -> State:
        """The state before a document."""
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        zeros = torch.zeros(shape, device=self.output.weight.device)
        before = (max(self.config.ngram_order - 1, 0), batch_size, 1)
        return zeros, zeros.clone(), zeros.new_zeros(before, dtype=torch.int64)

    def embed(self, ids: Tensor, before: Tensor) -> Tensor:
        """What the first layer reads, (B, T, E), given ids (B, T) and those before them."""
        values = self.embedding(ids)
        return values if self.ngrams is None else values + self.ngrams(ids, before.squeeze(2))

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Predict the next character at every position.

        Args:
            ids: character ids, (B, T) int64.
            state: after the previous chunk; zeros if None.

        Returns:
            Logits (B, T, V) float32, and the state after the last character.
        """
        hidden, cell, before = state or self.zero_state(len(ids))
        # Time goes first inside: batch_first makes torch copy what every layer reads and writes.
        values = self.embed(ids, before).transpose(0, 1)
        hiddens, cells = [], []
        for index, layer in enumerate(self.layers):
            read = self.dropout(values) if index else values
            last = (hidden[index : index + 1], cell[index : index + 1])
            written, (new_hidden, new_cell) = layer(read, last)
            values = values + written if self.config.skip and index else written
            hiddens.append(new_hidden)
            cells.append(new_cell)
        logits = self.output(self.dropout(self.norm(values)))
        last = (torch.cat(hiddens), torch.cat(cells), following(before, ids))
        return logits.transpose(0, 1), last

    def kernel(self) -> CDLL | None:
        """The native kernel, where it can compute this model: float32 on the CPU."""
        weight = self.output.weight
        fits = weight.device.type == "cpu" and weight.dtype == torch.float32
        return library() if fits else None

    def weights(self, embedded: Tensor | None = None) -> Weights:
        """The parameters as the kernel takes them.

        Args:
            embedded: characters and n-grams of one chunk, (T, B, E), where n-grams are not to be
                looked up.
        """
        return Weights.of(
            self.embedding.weight,
            self.layers,
            self.norm,
            self.output,
            skip=self.config.skip,
            ngrams=self.ngrams is not None,
            embedded=embedded,
        )

    def reading(self, ids: Tensor, before: Tensor) -> tuple[Weights, Tensor]:
        """The parameters for reading a chunk, and the row that each of its characters is.

        Args:
            ids: (B, T) int64.
            before: as in `State`.

        Returns:
            The weights, and rows (B, T) int64 of their table.
        """
        if self.ngrams is None:
            return self.weights(), ids
        return self.weights(self.embed(ids, before).transpose(0, 1)), torch.zeros_like(ids)

    def stepper(self, batch_size: int) -> "NativeStepper | LSTMStepper":
        """Prepare to read `batch_size` streams one character at a time, from zero state."""
        kernel = self.kernel()
        if kernel is None:
            return LSTMStepper(self, batch_size)
        return NativeStepper(kernel, self.packed(kernel, halves=True), batch_size, MARK_ID)

    def packed(self, kernel: CDLL, *, halves: bool = False) -> PackedWeights:
        """A copy of the parameters for reading any text, without gradients.

        Args:
            kernel: the native kernel.
            halves: whether the matrices are rounded to half precision.
        """
        ngrams = None if self.ngrams is None else self.ngrams.for_kernel()
        return PackedWeights(kernel, self.weights(), halves=halves, ngrams=ngrams)


class Layer(nn.LSTM):
    """nn.LSTM that computes in bfloat16 where autocast says so, on a GPU too.

    There autocast makes it float16, whatever was asked for, in which the gradients of a mean over
    thousands of characters are nearly 0; and it has cuDNN's weights copied twice.
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, values: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Read values (T, B, E) from a state of two (1, B, H); their hidden states, the state."""
        if not values.is_cuda or not torch.is_autocast_enabled("cuda"):
            return super().forward(values, state)
        hidden, cell = state
        with torch.autocast("cuda", enabled=False):
            # cuDNN has it since 9.13; torch's own kernels for other types are many times slower.
            if torch.cudnn_is_acceptable(values.new_empty(1, dtype=torch.bfloat16)):
                return self.rounded(values, hidden, cell)
            return super().forward(values.float(), (hidden, cell))

    def rounded(
        self, values: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The same in bfloat16; gradients reach the weights in float32."""
        weights = list(self.parameters())
        # In this order one piece of memory is what cuDNN reads, which it then need not copy.
        flat = torch.cat([weight.flatten() for weight in weights]).bfloat16()
        parts = flat.split([weight.numel() for weight in weights])
        views = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
        state = [part.bfloat16() for part in (hidden, cell)]
        options = (True, 1, 0.0, self.training, False, False)
        written, last, last_cell = torch.lstm(values.bfloat16(), state, views, *options)
        return written, (last, last_cell)


def following(before: Tensor, ids: Tensor) -> Tensor:
    """The characters that stand before the next ones, as in `State`, after reading ids (B, T)."""
    return torch.cat((before, ids.t().unsqueeze(2)))[ids.shape[1] :]


class LSTMStepper:
    """Reads B streams one character at a time, without dropout and without gradients.

    A stream's logits depend on its characters alone up to rounding: libraries sum the products of a
    row in an order that may depend on the number of rows, and on the processor.

    The first layer's input is a row of a table formed once; the other layers multiply their input
    and their state in one product. Gates stand in the order input, forget, output, candidate, so
    that one call squashes the first three. Buffers and their views are made once, since at this
    size a call of torch costs as much as its arithmetic; and all state is changed in place, so that
    a step can be recorded as a CUDA graph.
    """

    @torch.inference_mode()
    def __init__(self, model: CharLSTM, batch_size: int) -> None:
        self._model = model
        hidden = model.config.hidden_size
        self._weights, self._biases = zip(*map(_gates_of, model.layers), strict=True)
        self._inputs, self._recurrent = self._weights[0].split(
            (model.config.embedding_size, hidden)
        )
        self._table = torch.addmm(self._biases[0], model.embedding.weight, self._inputs)
        *state, self._before = model.zero_state(batch_size)
        self._state = torch.stack(state)
        self._layers = list(zip(*self._state, strict=True))
        self._gates = self._state.new_empty(batch_size, 4 * hidden)
        self._sigmoids, self._candidate = self._gates.split((3 * hidden, hidden), dim=1)
        self._input, self._forget, self._output = self._sigmoids.split(hidden, dim=1)

    @torch.inference_mode()
    def step(self, ids: Tensor) -> Tensor:
        """Read one character of every stream; a mark starts a document with zero state.

        Args:
            ids: (B,) int64.

        Returns:
            Logits of the next character, (B, V) float32.
        """
        model = self._model
        goes_on = ids.ne(MARK_ID).unsqueeze(1)
        self._state *= goes_on
        self._before *= goes_on
        torch.index_select(self._table, 0, ids, out=self._gates)
        if model.ngrams is not None:
            places = model.ngrams.places(ids.unsqueeze(1), self._before.squeeze(2)).squeeze(1)
            vectors = functional.embedding(places, model.ngrams.table).sum(dim=1)
            self._gates.addmm_(vectors, self._inputs)
            self._before.copy_(following(self._before, ids.unsqueeze(1)))
        self._gates.addmm_(self._layers[0][0], self._recurrent)
        values = self._update(*self._layers[0])
        for index in range(1, len(self._layers)):
            read = torch.cat((values, self._layers[index][0]), dim=1)
            torch.addmm(self._biases[index], read, self._weights[index], out=self._gates)
            written = self._update(*self._layers[index])
            values = values + written if model.config.skip else written
        return model.output(model.norm(values))

    def _update(self, hidden: Tensor, cell: Tensor) -> Tensor:
        """Apply the gates to the state of one layer, (B, H) each; return its hidden state."""
        self._sigmoids.sigmoid_()
        self._candidate.tanh_()
        cell.mul_(self._forget).addcmul_(self._input, self._candidate)
        return torch.mul(self._output, cell.tanh(), out=hidden)


def _gates_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights (input + H, 4H) and bias (4H,) of an LSTM layer, its gates re-ordered."""
    weights = [layer.get_parameter(name) for name in ("weight_ih_l0", "weight_hh_l0")]
    biases = layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")
    return torch.cat([_ordered(part) for part in weights], dim=1).t().contiguous(), _ordered(biases)


def _ordered(parameter: Tensor) -> Tensor:
    """From torch's order (input, forget, candidate, output) to the stepper's."""
    first, second, candidate, last = parameter.chunk(4)
    return torch.cat((first, second, last, candidate))
