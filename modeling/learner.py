"""One update of a model: forward, loss, backward, clip, AdamW.

Everything that an update changes (weights, moments of the optimiser, recurrent state) leaves as
named tensors and comes back from them.

Shapes: B streams, T characters a chunk, L layers, H hidden, V ids.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from modeling.batches import IGNORED, Batch
from modeling.config import TrainConfig
from modeling.device import free_bytes, use_tensor_cores
from modeling.engine import Engine
from modeling.models import build_model
from modeling.models.lstm import CharLSTM, State, following
from modeling.native.loss import ChunkLoss
from modeling.parallel import ALONE, Group
from modeling.rowwise import RowwiseAdagrad

Tensors = dict[str, Tensor]

_STATE = ("hidden", "cell", "before")


class _Objective(nn.Module):
    """The loss of a model on a chunk, by the kernel where there is one."""

    def __init__(self, model: CharLSTM, kernel: CDLL | None, *, mixed: bool) -> None:
        super().__init__()
        self.model = model
        self._mixed = mixed
        self._native = ChunkLoss(kernel, model.config.dropout, mixed=mixed) if kernel else None

    def forward(self, ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """Sum the negative log probabilities of the targets (B, T), in nats; the state after."""
        hidden, cell, before = state
        if self._native:
            weights, rows = self.model.reading(ids, before)
            loss, after = self._native(weights, rows, targets, (hidden, cell))
            return loss, (*after, following(before, ids))
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self._mixed):
            logits, (hidden, cell, before) = self.model(ids, state)
            # The model computes with time first: this order spares a copy of the logits.
            loss = functional.cross_entropy(
                logits.transpose(0, 1).flatten(0, 1),
                targets.t().flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
        return loss, (hidden.detach().float(), cell.detach().float(), before)


class Learner:
    """A model, its optimiser, and the state in which each stream stands."""

    def __init__(
        self,
        config: TrainConfig,
        vocabulary_size: int,
        batch_size: int,
        device: torch.device,
        group: Group = ALONE,
        engine: Engine | None = None,
    ) -> None:
        """Make a fresh model.

        Args:
            config: of the run; its seed decides the first weights.
            vocabulary_size: V.
            batch_size: B, of the batches to come.
            device: to compute on.
            group: the processes that share the batches.
            engine: what computes; the kernel where there is one, and float32 unless `config` says
                otherwise, if None.
        """
        self._config = config
        self._device = device
        self._group = group
        self._streams = batch_size
        if device.type == "cuda":
            use_tensor_cores()
        with _seeded(config.seed, device):
            self.model = build_model(config.model, vocabulary_size).to(device)
        self._dense = self.model.dense_parameters()
        self._optimizers = _optimizers(config, self.model, fused=device.type != "mps")
        rows = group.rows(batch_size)
        self._state = self.model.zero_state(rows.stop - rows.start)
        if engine is None:
            precision = "float32" if config.precision == "auto" else config.precision
            engine = Engine(native=True, precision=precision)
        kernel = self.model.kernel() if engine.native else None
        objective = _Objective(self.model, kernel, mixed=engine.precision == "bfloat16")
        self._objective = group.joint(objective, apart=self.model.tables())

    def update(self, batch: Batch, learning_rate: float, dropout_seed: int) -> Tensor:
        """Train on one chunk.

        Args:
            batch: of B streams.
            learning_rate: of this update.
            dropout_seed: decides which values are dropped.

        Returns:
            (2,) on the device: sum of the negative log probabilities in nats, and the norm of the
            gradient before clipping. Neither is checked here: that would wait for the device.

        Raises:
            ValueError: the chunk does not fit in the memory of the device.
        """
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate / self._config.learning_rate * optimizer.defaults["lr"]
        batch = self._group.part(batch)
        try:
            with _seeded(dropout_seed, self._device):
                loss, self._state = self._loss(batch)
            self.model.zero_grad()
            # The group takes the mean of all processes' gradients; wanted is their sum.
            (loss * self._group.size / batch.characters).backward()
        except RuntimeError as error:
            if "allocate" not in str(error) and not isinstance(error, torch.OutOfMemoryError):
                raise
            raise ValueError(self._too_large(batch)) from error
        loss = loss.detach()
        self._group.sum(loss)
        for table in self.model.tables():
            assert table.grad is not None
            table.grad = self._group.mean_rows(table.grad)
        norm = clip_grad_norm_(self._dense, self._config.clip_norm)
        for optimizer in self._optimizers.values():
            optimizer.step()
        return torch.stack((loss, norm))

    def _loss(self, batch: Batch) -> tuple[Tensor, State]:
        carried = batch.carried.to(self._device)[:, None]
        hidden, cell, before = (torch.where(carried, part, 0) for part in self._state)
        ids, targets = batch.ids.to(self._device), batch.targets.to(self._device)
        return self._objective(ids, targets, (hidden, cell, before))

    def _too_large(self, batch: Batch) -> str:
        """Say which batch would fit, by the memory that one stream's values and gradients need."""
        streams, length = batch.ids.shape
        shape = self._config.model
        per_layer = 12 * shape.hidden_size
        floats = shape.num_layers * per_layer + 4 * self.model.output.out_features
        weights = sum(p.numel() for p in self.model.parameters())
        room = free_bytes(self._device) - 4 * 4 * weights
        fitting = max(1, min(streams // 2, room // (4 * floats * length)))
        return (
            f"batch_size {streams} with chunk_length {length} does not fit in the memory of "
            f"{self._device}; batch_size {fitting} would"
        )

    def tensors(self) -> Tensors:
        """Copy everything that `update` changes, on the CPU."""
        named = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for prefix, optimizer in self._optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                named |= {f"{prefix}.{index}.{name}": value for name, value in moments.items()}
        for name, part in zip(_STATE, self._state, strict=True):
            named[f"state.{name}"] = self._group.gathered(part, self._streams)
        return {name: value.detach().to("cpu", copy=True) for name, value in named.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `tensors` returned."""
        self.model.load_state_dict(under(tensors, "model."))
        for prefix, optimizer in self._optimizers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in under(tensors, f"{prefix}.").items():
                index, _, key = name.partition(".")
                # The optimiser keeps the tensors that it is given and changes them in place.
                moments.setdefault(int(index), {})[key] = value.clone()
            whole: dict[str, Any] = optimizer.state_dict() | {"state": moments}
            optimizer.load_state_dict(whole)
        rows, state = self._group.rows(self._streams), under(tensors, "state.")
        hidden, cell, before = (state[name][:, rows].to(self._device) for name in _STATE)
        self._state = (hidden, cell, before)


def _optimizers(
    config: TrainConfig, model: CharLSTM, *, fused: bool
) -> dict[str, torch.optim.Optimizer]:
    """What updates which parameters, by the names that checkpoints have for it."""
    adam = torch.optim.AdamW(
        model.dense_parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=fused,
    )
    if model.ngrams is None:
        return {"optimizer": adam}
    table = RowwiseAdagrad(model.tables(), config.ngram_learning_rate)
    return {"optimizer": adam, "table": table}


def under(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from generators seeded for this block; leave the global ones as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed seeds all devices, and formats a stack for each that is not in use yet.
        (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)
        yield
