"""The character LSTM.

The parameters are those of torch's own modules, so one set of weights serves cuDNN, the kernel in
`modeling.native`, and `LSTMStepper`, which computes a step from plain matrix products where there
is no kernel: torch's LSTM repacks all weights at every call and is five times slower for single
characters.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.models.model import CharModel, State
from modeling.models.native_lstm import NativeLSTM
from modeling.native.library import library
from modeling.native.stepper import NativeStepper
from modeling.vocab import MARK_ID


class CharLSTM(CharModel):
    """Stacked LSTM layers; with `config.skip`, every layer but the first adds its input."""

    state_names = ("hidden", "cell", "before")
    has_native = True
    has_bfloat16 = True

    def make_layers(self) -> Iterator[nn.Module]:
        """Create the layers."""
        hidden = self.config.hidden_size
        for index in range(self.config.num_layers):
            yield Layer(hidden if index else self.config.embedding_size, hidden)

    def read(self, values: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply the layers, with dropout between them."""
        hidden, cell = state
        hiddens, cells = [], []
        for index, layer in enumerate(self.layers):
            inputs = self.dropout(values) if index else values
            last = (hidden[index : index + 1], cell[index : index + 1])
            outputs, (new_hidden, new_cell) = layer(inputs, last)
            values = values + outputs if self.config.skip and index else outputs
            hiddens.append(new_hidden)
            cells.append(new_cell)
        return values, (torch.cat(hiddens), torch.cat(cells))

    def native(self) -> NativeLSTM | None:
        """Use the native kernel for float32 on the CPU, where the kernel is available."""
        weight = self.output.weight
        fits = weight.device.type == "cpu" and weight.dtype == torch.float32
        kernel = library() if fits else None
        return NativeLSTM(self, kernel) if kernel else None

    def stepper(self, batch_size: int) -> "NativeStepper | LSTMStepper":
        """Prepare to read streams character by character, by the kernel if possible."""
        native = self.native()
        return native.stepper(batch_size) if native else LSTMStepper(self, batch_size)


class Layer(nn.LSTM):
    """nn.LSTM that computes in bfloat16 under autocast, on a GPU too.

    On a GPU, autocast runs nn.LSTM in float16 whatever dtype was asked for. In float16 the
    gradients of a mean over thousands of characters underflow, and the weights are copied twice.
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, values: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Read values (T, B, E), starting at the state (hidden, cell), each (1, B, H).

        Returns:
            Hidden states (T, B, H), and the state after the last character.
        """
        if not values.is_cuda or not torch.is_autocast_enabled("cuda"):
            return super().forward(values, state)
        hidden, cell = state
        with torch.autocast("cuda", enabled=False):
            # cuDNN supports bfloat16 since 9.13; torch's fallback kernels are many times slower.
            if torch.cudnn_is_acceptable(values.new_empty(1, dtype=torch.bfloat16)):
                return self.rounded(values, hidden, cell)
            return super().forward(values.float(), (hidden, cell))

    def rounded(
        self, values: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`forward` in bfloat16; gradients reach the weights in float32."""
        weights = list(self.parameters())
        # Flattened in this order the weights are what cuDNN reads, so that it need not copy them.
        flat = torch.cat([weight.flatten() for weight in weights]).bfloat16()
        parts = flat.split([weight.numel() for weight in weights])
        views = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
        state = [part.bfloat16() for part in (hidden, cell)]
        options = (True, 1, 0.0, self.training, False, False)
        outputs, last, last_cell = torch.lstm(values.bfloat16(), state, views, *options)
        return outputs, (last, last_cell)


class LSTMStepper:
    """Reads B streams one character at a time, without dropout and without gradients.

    The logits of a stream depend only on its own characters, up to rounding: libraries may sum the
    products of a row in an order that depends on the number of rows and on the processor.

    The first layer's input is a row of a precomputed table; the other layers multiply their input
    and their state in one product. The order of the gates is input, forget, output, candidate, so
    that one call applies the sigmoid to the first three. Buffers and views are created once, since
    at this size the overhead of a torch call is as large as its arithmetic. All state is changed
    in place, so that a step can be recorded as a CUDA graph.
    """

    @torch.inference_mode()
    def __init__(self, model: CharModel, batch_size: int) -> None:
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
        """Read one character of every stream, as in `Stepper`."""
        model = self._model
        inside = ids.ne(MARK_ID).unsqueeze(1)
        self._state *= inside
        self._before *= inside
        torch.index_select(self._table, 0, ids, out=self._gates)
        past = None
        if model.ngrams is not None:
            places = model.ngrams.places(ids.unsqueeze(1), self._before.squeeze(2)).squeeze(1)
            vectors = functional.embedding(places, model.ngrams.table).sum(dim=1)
            self._gates.addmm_(vectors, self._inputs)
            self._before.copy_(model.after(self._before, ids.unsqueeze(1)))
            if model.direct is not None:
                past = model.direct(model.embedding(ids) + vectors)
        self._gates.addmm_(self._layers[0][0], self._recurrent)
        values = self._update(*self._layers[0])
        for index in range(1, len(self._layers)):
            inputs = torch.cat((values, self._layers[index][0]), dim=1)
            torch.addmm(self._biases[index], inputs, self._weights[index], out=self._gates)
            outputs = self._update(*self._layers[index])
            values = values + outputs if model.config.skip else outputs
        logits = model.output(model.norm(values))
        return logits if past is None else logits + past

    def _update(self, hidden: Tensor, cell: Tensor) -> Tensor:
        """Apply the gates to the state of one layer, each (B, H); return its hidden state."""
        self._sigmoids.sigmoid_()
        self._candidate.tanh_()
        cell.mul_(self._forget).addcmul_(self._input, self._candidate)
        return torch.mul(self._output, cell.tanh(), out=hidden)


def _gates_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights (input + H, 4H) and bias (4H,) of an LSTM layer, gates in the stepper's order."""
    weights = [layer.get_parameter(name) for name in ("weight_ih_l0", "weight_hh_l0")]
    biases = layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")
    return torch.cat([_ordered(part) for part in weights], dim=1).t().contiguous(), _ordered(biases)


def _ordered(parameter: Tensor) -> Tensor:
    """Reorder gates from torch's order (input, forget, candidate, output) to the stepper's."""
    first, second, candidate, last = parameter.chunk(4)
    return torch.cat((first, second, last, candidate))
