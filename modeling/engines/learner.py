"""One update of a model: forward, loss, backward, clip, optimiser step.

Everything that an update changes (weights, moments of the optimisers, recurrent state) can be saved
as named tensors and loaded from them.

Shapes: B streams, T characters a chunk.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from modeling.config import TrainConfig
from modeling.device import free_bytes, use_tensor_cores
from modeling.engines.batches import IGNORED, Batch
from modeling.engines.cuda_graphs import Captured, CudaGraph
from modeling.engines.distributed import ALONE, Group
from modeling.engines.engine import Engine
from modeling.engines.inputs import Inputs, keeps
from modeling.engines.optimizers import Optimizers
from modeling.errors import CapacityError
from modeling.models import build_model
from modeling.models.model import CharModel, PricedChunk, State
from modeling.vocab import Ids

Tensors = dict[str, Tensor]

_NO_MEMORY = ("allocate", "ALLOC_FAILED")
"""Parts of the messages in which torch, cuDNN and cuBLAS report that memory ran out."""


class Learner:
    """A model, its optimisers, and the recurrent state of each stream.

    All of it stays in the same memory from the first update to the last.
    """

    def __init__(
        self,
        config: TrainConfig,
        vocabulary_size: int,
        batch_size: int,
        device: torch.device,
        group: Group = ALONE,
        engine: Engine | None = None,
        text: Ids | None = None,
        keep_text: bool | None = None,
    ) -> None:
        """Create a model with initial weights.

        Args:
            config: of the training; its seed determines the initial weights.
            vocabulary_size: number of ids.
            batch_size: B, of all processes.
            device: to compute on.
            group: the processes that share the batches.
            engine: computes the loss; by default the native kernel where there is one, in float32
                unless `config` says otherwise.
            text: the text that all batches are cut from, if there is one.
            keep_text: whether to keep `text` on the device; by default on a GPU with enough room.
        """
        self._config, self._device, self._group = config, device, group
        self._batch_size = batch_size
        if device.type == "cuda":
            use_tensor_cores()
        with _seeded(config.seed, device):
            self.model = build_model(config.model, vocabulary_size).to(device)
        engine = engine or _default_engine(config)
        self._optimizers = Optimizers(config, self.model, native=engine.native)
        streams = len(range(batch_size)[group.rows(batch_size)])
        self._state = self.model.zero_state(streams)
        self._objective = group.joint(_Objective(self.model, engine))
        if keep_text is None:
            keep_text = text is not None and keeps(text, vocabulary_size, device)
        self._inputs = Inputs(streams, vocabulary_size, device, text if keep_text else None)
        self._captured = _captured(device, group)

    def update(self, batch: Batch, learning_rate: float, dropout_seed: int) -> Tensor:
        """Train on one chunk.

        Args:
            batch: of B streams.
            learning_rate: of this update.
            dropout_seed: determines which values are dropped.

        Returns:
            (2,) on the device: the sum of the negative log probabilities in nats, and the norm of
            the gradient before clipping. Neither is checked here: that would wait for the device.

        Raises:
            CapacityError: the chunk does not fit in the memory of the device.
        """
        try:
            with _seeded(dropout_seed, self._device):
                self._optimizers.set_rates(learning_rate)
                self._inputs.put(batch.part(self._group.rows(self._batch_size)))
                return self._captured(self._body) if self._captured else self._body()
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and not any(
                words in str(error) for words in _NO_MEMORY
            ):
                raise
        # Outside the handler, because by now the failed update has released its memory.
        raise CapacityError(self._too_large(batch))

    def _body(self) -> Tensor:
        """Everything that the device does for an update; it always uses the same memory."""
        loss = self._loss()
        self.model.zero_grad()
        # The group averages the gradients of all processes, but their sum is needed.
        (loss * self._group.size / self._inputs.characters).backward()
        loss = loss.detach()
        self._group.sum(loss)
        norm = self._optimizers.step(self._group, self._batch_size)
        return torch.stack((loss, norm))

    def _loss(self) -> Tensor:
        """The loss of the chunk in `_inputs`; advances the state."""
        ids, targets, carried = self._inputs.cut()
        state = tuple(torch.where(carried[:, None], part, 0) for part in self._state)
        loss, after = self._objective(ids, targets, state)
        for part, new in zip(self._state, after, strict=True):
            part.copy_(new)
        return loss

    def _too_large(self, batch: Batch) -> str:
        """Estimate which batch would fit, from the values and gradients that a stream needs."""
        streams, length = len(batch.position), batch.length
        shape = self._config.model
        per_layer = 12 * shape.hidden_size
        floats = shape.num_layers * per_layer + 4 * self.model.vocabulary_size
        weights = sum(p.numel() for p in self.model.parameters())
        room = free_bytes(self._device) - 4 * 4 * weights
        fitting = max(1, min(streams // 2, room // (4 * floats * length)))
        return (
            f"batch_size {streams} with chunk_length {length} does not fit in the memory of "
            f"{self._device}; batch_size {fitting} would"
        )

    def tensors(self) -> Tensors:
        """Copy everything that `update` changes to the CPU."""
        named = self._named()
        for name, part in zip(self.model.state_names, self._state, strict=True):
            named[f"state.{name}"] = self._group.gathered(part, self._batch_size)
        return {name: value.to("cpu", copy=True) for name, value in named.items()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned."""
        for name, value in self._named().items():
            value.copy_(tensors[name])
        rows = self._group.rows(self._batch_size)
        for name, part in zip(self.model.state_names, self._state, strict=True):
            part.copy_(tensors[f"state.{name}"][:, rows])

    def _named(self) -> Tensors:
        """What `update` changes except the recurrent state, by its names in checkpoints."""
        named = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        return named | self._optimizers.named()


class _Objective(nn.Module):
    """The loss of a model on a chunk, computed by an engine."""

    def __init__(self, model: CharModel, engine: Engine) -> None:
        super().__init__()
        self.model = model
        self._mixed = engine.precision == "bfloat16"
        native = model.native() if engine.native else None
        self._native: PricedChunk | None = None
        if native:
            self._native = native.objective(mixed=self._mixed)

    def forward(self, ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """Sum the negative log probabilities of the targets (B, T) in nats; return the new state.

        The new state carries no gradient.
        """
        if self._native:
            return self._native(ids, targets, state)
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self._mixed):
            logits, after = self.model(ids, state)
            # The model computes with time first: this order avoids a copy of the logits.
            loss = functional.cross_entropy(
                logits.transpose(0, 1).flatten(0, 1),
                targets.t().flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
        # `Learner` copies the new state into its own tensors, which have their own types.
        return loss, tuple(part.detach() for part in after)


def _default_engine(config: TrainConfig) -> Engine:
    precision = "float32" if config.precision == "auto" else config.precision
    return Engine(native=True, precision=precision)


def _captured(device: torch.device, group: Group) -> Captured | None:
    captures = device.type == "cuda" and group.size == 1
    return Captured(CudaGraph(device)) if captures else None


def updates_between_reads(device: torch.device) -> int:
    """How many updates may be queued before their results are read, which waits for all of them."""
    return 16 if device.type == "cuda" else 1


def under(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """Select the tensors whose names begin with `prefix`, and remove it from the names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators inside the block; restore the global ones after it."""
    on_gpu = device.type == "cuda"
    with (
        torch.cuda.device(device) if on_gpu else nullcontext(),
        torch.random.fork_rng(devices=[device] if on_gpu else []),
    ):
        # torch.manual_seed seeds all devices, and formats a stack for each unused one.
        (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)
        yield
