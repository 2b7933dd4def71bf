"""What every model is: ids and state in, logits and state out.

`CharModel` holds what all architectures share: the embeddings of characters and n-grams at the
input; dropout, LayerNorm and a linear layer at the output; direct connections from that input to
the output, as in RNNME (Mikolov et al. 2011). An architecture defines what lies between them
(`make_layers` and `read`). Training, scoring, dynamic evaluation, sampling and checkpoints need
nothing else.

Shapes: B streams, T characters, V ids, E embedding, H hidden, L layers, N highest order of n-grams.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from modeling.config import ModelConfig
from modeling.models.ngrams import NgramEmbedding
from modeling.vocab import MARK_ID, Vocabulary

State = tuple[Tensor, ...]
"""The memory of B streams between two chunks: the tensors that `CharModel.state_names` lists, each
with its streams in dimension 1, (X, B, Y). The last one is `before`: the last characters read,
oldest first, and the layout's state if there is one, (M, B, 1) int64; M is 0 without n-grams. All
of them are zero before a document; the file mark has id 0."""

PricedChunk = Callable[[Tensor, Tensor, State], tuple[Tensor, State]]
"""A function of ids (B, T), targets (B, T) and state: nats of the targets, and the new state."""


class Stepper(Protocol):
    """Reads B streams one character at a time."""

    def step(self, ids: Tensor) -> Tensor:
        """Read one character of every stream; a file mark resets its stream to the zero state.

        Args:
            ids: (B,) int64.

        Returns:
            Logits of the next character, (B, V) float32.
        """
        ...


@runtime_checkable
class BlockStepper(Stepper, Protocol):
    """A stepper that can also write many characters in one call."""

    def draw(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Write K characters, each the id with the largest sum of logit and noise.

        Args:
            noise: (B, K, V) float32, contiguous.
            temperature: of the noise, if it is below 1 and must not sharpen long runs, as in
                `SamplingSettings`; otherwise 1.

        Returns:
            (B, K) int64. `step` was called before; the last character has been read.
        """
        ...


class NativeModel(Protocol):
    """A model that the native kernel computes: float32 weights on the CPU."""

    def objective(self, *, mixed: bool) -> PricedChunk:
        """Return the loss to train with: the sum of the nats, differentiable, dropout included.

        Args:
            mixed: round the factors of matrix products to bfloat16; sums stay float32.
        """
        ...

    def scorer(self) -> PricedChunk:
        """Return a function that gives the nats of every target, (B, T), without dropout.

        It reads a copy of the weights as they are now.
        """
        ...


class CharModel(nn.Module, ABC):
    """Predicts the next character from all characters before it.

    Attributes:
        state_names: names of the tensors of `State` in checkpoints. Every one but `before` has the
            shape (L, B, H) unless the architecture overrides `zero_state`.
        per_id: names of the weights with one row for each id; fine-tuning moves these rows with
            their characters.
        has_native: whether `native` may return a kernel.
        has_bfloat16: whether the layers train in bfloat16 under `torch.autocast`. On CUDA torch's
            own recurrent layers train in float16 there, in which small gradients vanish.
    """

    state_names: ClassVar[tuple[str, ...]]
    per_id: ClassVar[tuple[str, ...]] = (
        *("embedding.weight", "output.weight", "output.bias", "direct.weight"),
        *("ngrams.codes", "ngrams.layout.kinds"),
    )
    has_native: ClassVar[bool] = False
    has_bfloat16: ClassVar[bool] = False

    ngrams: NgramEmbedding | None
    direct: nn.Linear | None

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        # The order of these lines decides the initial weights and the names in checkpoints.
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.embedding_size)
        self.ngrams = None
        if config.ngram_order:
            self.ngrams = NgramEmbedding(
                config.ngram_order,
                config.ngram_rows,
                config.embedding_size,
                config.ngram_dropout,
                vocabulary_size,
                layout=config.has_layout,
            )
        self.layers = nn.ModuleList(self.make_layers())
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.hidden_size) if config.output_norm else nn.Identity()
        self.output = nn.Linear(config.hidden_size, vocabulary_size)
        self.direct = None
        if config.has_direct:
            self.direct = nn.Linear(config.embedding_size, vocabulary_size, bias=False)
        if config.tied:
            self.embedding.weight = self.output.weight

    @abstractmethod
    def make_layers(self) -> Iterable[nn.Module]:
        """Create the L layers between input and output; `self.config` gives their widths."""

    @abstractmethod
    def read(self, values: Tensor, state: State) -> tuple[Tensor, State]:
        """Apply the layers.

        Args:
            values: embedded characters, time first, (T, B, E).
            state: as `State`, without `before`.

        Returns:
            Features (T, B, H), and the state after the last character, without `before`.
        """

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.output.weight.device

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.output.out_features

    def tables(self) -> list[nn.Parameter]:
        """The table of n-grams, if there is one; an update changes few of its rows."""
        return [] if self.ngrams is None else list(self.ngrams.parameters())

    def dense_parameters(self) -> list[nn.Parameter]:
        """All parameters but those of `tables`."""
        tables = self.tables()
        return [weight for weight in self.parameters() if all(weight is not t for t in tables)]

    def copied(self) -> "CharModel":
        """Copy the model; the weights of each recurrent layer are contiguous, as cuDNN wants."""
        model = copy.deepcopy(self)
        for module in model.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()
        return model

    def learn_characters(self, vocabulary: Vocabulary) -> None:
        """Take from the vocabulary what the layout must know of each character."""
        if self.ngrams is not None and self.ngrams.layout is not None:
            self.ngrams.layout.learn(vocabulary)

    def zero_state(self, batch_size: int) -> State:
        """The state of B streams before a document."""
        shape = (self.config.num_layers, batch_size, self.config.hidden_size)
        carried = [torch.zeros(shape, device=self.device) for _ in self.state_names[:-1]]
        before = (0 if self.ngrams is None else self.ngrams.memory, batch_size, 1)
        return *carried, torch.zeros(before, dtype=torch.int64, device=self.device)

    def after(self, before: Tensor, ids: Tensor) -> Tensor:
        """What is `before` the next chunk, as in `State`, after reading ids (B, T)."""
        if self.ngrams is None:
            return before
        return self.ngrams.after(before.squeeze(2), ids).unsqueeze(2)

    def embed(self, ids: Tensor, before: Tensor) -> Tensor:
        """Embed characters and the n-grams that end at them.

        Args:
            ids: (B, T) int64.
            before: as in `State`.

        Returns:
            (B, T, E).
        """
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
        *carried, before = state or self.zero_state(len(ids))
        # Time goes first inside: batch_first makes torch copy what every layer reads and writes.
        values = self.embed(ids, before).transpose(0, 1)
        features, after = self.read(values, tuple(carried))
        logits = self.output(self.dropout(self.norm(features)))
        if self.direct is not None:
            logits = logits + self.direct(values)
        return logits.transpose(0, 1), (*after, self.after(before, ids))

    def stepper(self, batch_size: int) -> Stepper:
        """Prepare to read `batch_size` streams character by character, starting at zero state."""
        return ForwardStepper(self, batch_size)

    def native(self) -> NativeModel | None:
        """Return the model as the native kernel computes it; None where torch must compute."""
        return None


class ForwardStepper:
    """Steps any model with its `forward`, without dropout and without gradients.

    State is changed in place, so that a step can be recorded as a CUDA graph.
    """

    @torch.inference_mode()
    def __init__(self, model: CharModel, batch_size: int) -> None:
        self._model = model.copied().eval() if model.training else model
        self._state = model.zero_state(batch_size)

    @torch.inference_mode()
    def step(self, ids: Tensor) -> Tensor:
        """Read one character of every stream, as in `Stepper`."""
        inside = ids.ne(MARK_ID).unsqueeze(1)
        for part in self._state:
            part.mul_(inside)
        logits, after = self._model(ids.unsqueeze(1), self._state)
        for part, new in zip(self._state, after, strict=True):
            part.copy_(new)
        return logits[:, 0]
