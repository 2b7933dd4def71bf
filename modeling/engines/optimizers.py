"""The optimisers of a training: AdamW for dense weights, Adagrad for the table of n-grams.

Their moments are created in advance and stay in the same memory, so that an update can be recorded
as a CUDA graph.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from modeling.config import TrainConfig
from modeling.engines.distributed import Group
from modeling.engines.rowwise_adagrad import RowwiseAdagrad
from modeling.models.model import CharModel


class Optimizers:
    """Clips the gradients of a model and updates its weights."""

    def __init__(self, config: TrainConfig, model: CharModel, *, native: bool) -> None:
        """Create the moments.

        Args:
            config: of the training.
            model: whose weights are updated.
            native: update the table of n-grams by the kernel, where there is one.
        """
        self._config = config
        self._ngrams = model.ngrams
        self._dense = model.dense_parameters()
        self._adam = _adam(config, self._dense, model.device)
        self._adagrad = RowwiseAdagrad(model.ngrams.table, native=native) if model.ngrams else None
        self._table_rate = torch.zeros((), device=model.device)

    def set_rates(self, learning_rate: float) -> None:
        """Set the learning rate of AdamW, and that of the table in proportion."""
        share = learning_rate / self._config.learning_rate
        self._table_rate.fill_(share * self._config.ngram_learning_rate)
        (group,) = self._adam.param_groups
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate

    def step(self, group: Group, streams: int) -> Tensor:
        """Update all weights from their gradients.

        Args:
            group: the processes that train together.
            streams: of all processes.

        Returns:
            Norm of the gradient before clipping, () on the device.
        """
        norm = clip_grad_norm_(self._dense, self._config.clip_norm)
        self._adam.step()
        if self._adagrad and self._ngrams:
            gradient = group.all_places(*self._ngrams.gradient(), streams)
            self._adagrad.step(*gradient, self._table_rate)
        return norm

    def named(self) -> dict[str, Tensor]:
        """The moments by their names in checkpoints."""
        named = {
            f"optimizer.{index}.{name}": value
            for index, weight in enumerate(self._dense)
            for name, value in self._adam.state[weight].items()
        }
        if self._adagrad:
            named["table.0.squares"] = self._adagrad.squares
        return named


def _adam(
    config: TrainConfig, weights: Sequence[nn.Parameter], device: torch.device
) -> torch.optim.AdamW:
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
