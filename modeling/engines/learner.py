"""One update of a model: forward, loss, backward, clip, AdamW.

Everything that an update changes (weights, moments of the optimiser, recurrent state) leaves as
named tensors and comes back from them.

Shapes: B streams, T characters a chunk, L layers, H hidden, V ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from ctypes import CDLL

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from modeling.config import TrainConfig
from modeling.device import free_bytes, use_tensor_cores
from modeling.engines.batches import IGNORED, Batch
from modeling.engines.cuda_graphs import Captured, CudaGraph
from modeling.engines.distributed import ALONE, Group
from modeling.engines.engine import Engine
from modeling.engines.inputs import Inputs, keeps
from modeling.engines.rowwise_adagrad import RowwiseAdagrad
from modeling.models import build_model
from modeling.models.lstm import CharLSTM, State, following
from modeling.native.loss import ChunkLoss
from modeling.vocab import Ids

Tensors = dict[str, Tensor]

_STATE = ("hidden", "cell", "before")
_NO_MEMORY = ("allocate", "ALLOC_FAILED")
"""In what torch says of the CPU's memory, and cuDNN and cuBLAS of the GPU's."""


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
    """A model, its optimiser, and the state in which each stream stands.

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
    ) -> None:
        """Make a fresh model.

        Args:
            config: of the run; its seed decides the first weights.
            vocabulary_size: V.
            batch_size: B, of the batches to come.
            device: to compute on.
            group: the processes that share the batches.
            engine: what computes; if None, the kernel where there is one, in float32 unless
                `config` says otherwise.
            text: what all batches are cut from, if it is one; a GPU keeps it where it fits.
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
        self._adam = _adam(config, self._dense, device)
        self._table = RowwiseAdagrad(self.model.ngrams.table) if self.model.ngrams else None
        self._table_rate = torch.zeros((), device=device)
        streams = len(range(batch_size)[group.rows(batch_size)])
        self._state = self.model.zero_state(streams)
        if engine is None:
            precision = "float32" if config.precision == "auto" else config.precision
            engine = Engine(native=True, precision=precision)
        kernel = self.model.kernel() if engine.native else None
        objective = _Objective(self.model, kernel, mixed=engine.precision == "bfloat16")
        self._objective = group.joint(objective)
        kept = text if text is not None and keeps(text, vocabulary_size, device) else None
        self._inputs = Inputs(streams, vocabulary_size, device, kept)
        captures = device.type == "cuda" and group.size == 1
        self._captured = Captured(CudaGraph(device)) if captures else None

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
        try:
            with _seeded(dropout_seed, self._device):
                self._set_rates(learning_rate)
                self._inputs.put(batch.part(self._group.rows(self._streams)))
                return self._captured(self._body) if self._captured else self._body()
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and not any(
                words in str(error) for words in _NO_MEMORY
            ):
                raise
        # Outside of the handler, where the failed update has released its memory.
        raise ValueError(self._too_large(batch))

    def _set_rates(self, learning_rate: float) -> None:
        share = learning_rate / self._config.learning_rate
        self._table_rate.fill_(share * self._config.ngram_learning_rate)
        (group,) = self._adam.param_groups
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate

    def _body(self) -> Tensor:
        """All of an update that is the device's: it reads and writes the same memory every time."""
        loss = self._loss()
        self.model.zero_grad()
        # The group takes the mean of all processes' gradients; wanted is their sum.
        (loss * self._group.size / self._inputs.characters).backward()
        loss = loss.detach()
        self._group.sum(loss)
        norm = clip_grad_norm_(self._dense, self._config.clip_norm)
        self._adam.step()
        if self._table and self.model.ngrams:
            found = self._group.all_places(*self.model.ngrams.gradient(), self._streams)
            self._table.step(*found, self._table_rate)
        return torch.stack((loss, norm))

    def _loss(self) -> Tensor:
        """Of the chunk in `_inputs`; the state goes on."""
        ids, targets, carried = self._inputs.cut()
        hidden, cell, before = (torch.where(carried[:, None], part, 0) for part in self._state)
        loss, after = self._objective(ids, targets, (hidden, cell, before))
        for part, new in zip(self._state, after, strict=True):
            part.copy_(new)
        return loss

    def _too_large(self, batch: Batch) -> str:
        """Say which batch would fit, by the memory that one stream's values and gradients need."""
        streams, length = len(batch.position), batch.length
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
        named = self._named()
        for name, part in zip(_STATE, self._state, strict=True):
            named[f"state.{name}"] = self._group.gathered(part, self._streams)
        return {name: value.to("cpu", copy=True) for name, value in named.items()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `tensors` returned."""
        for name, value in self._named().items():
            value.copy_(tensors[name])
        rows = self._group.rows(self._streams)
        for name, part in zip(_STATE, self._state, strict=True):
            part.copy_(tensors[f"state.{name}"][:, rows])

    def _named(self) -> Tensors:
        """What `update` changes, the recurrent state aside, by the names of checkpoints."""
        named = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, weight in enumerate(self._dense):
            moments = self._adam.state[weight].items()
            named |= {f"optimizer.{index}.{name}": value for name, value in moments}
        if self._table:
            named["table.0.squares"] = self._table.squares
        return named


def _adam(
    config: TrainConfig, weights: Sequence[nn.Parameter], device: torch.device
) -> torch.optim.AdamW:
    """AdamW, with its moments made beforehand, so that they never move."""
    on_gpu, fused = device.type == "cuda", device.type != "mps"
    rate = torch.zeros((), device=device) if on_gpu else config.learning_rate
    adam = torch.optim.AdamW(
        weights,
        lr=rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=fused,
        capturable=on_gpu,
    )
    for weight in weights:
        adam.state[weight] = {
            "step": torch.zeros((), device=device if fused else None),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }
    return adam


def updates_between_reads(device: torch.device) -> int:
    """How many updates may be under way before their figures are read, which waits for them all."""
    return 16 if device.type == "cuda" else 1


def under(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from generators seeded for this block; leave the global ones as they were."""
    on_gpu = device.type == "cuda"
    with (
        torch.cuda.device(device) if on_gpu else nullcontext(),
        torch.random.fork_rng(devices=[device] if on_gpu else []),
    ):
        # torch.manual_seed seeds all devices, and formats a stack for each that is not in use yet.
        (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)
        yield
