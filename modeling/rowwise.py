"""Adagrad for a table of embeddings of which an update touches a few rows.

Shapes: R rows, E embedding.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_TINY = 1e-8


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad (Duchi et al. 2011) with one sum of squares for each row instead of each number.

    A row's step shrinks with what it has learned, not with time, so rare rows learn as fast as
    frequent ones once did. torch's own needs as much memory as the table itself. Gradients must be
    sparse; rows without one stay as they are.
    """

    def __init__(self, tables: Iterable[Tensor], learning_rate: float) -> None:
        """Take tables (R, E)."""
        super().__init__(tables, {"lr": learning_rate})
        for group in self.param_groups:
            for table in group["params"]:
                self.state[table]["squares"] = table.new_zeros(len(table))

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update every table by its gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                gradient, squares = table.grad.coalesce(), self.state[table]["squares"]
                rows, values = gradient.indices()[0], gradient.values()
                squares.index_add_(0, rows, values.square().mean(dim=1))
                steps = values / (squares[rows].sqrt() + _TINY).unsqueeze(1)
                table.index_add_(0, rows, steps, alpha=-group["lr"])
