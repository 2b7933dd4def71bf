"""Adagrad for a table of embeddings of which an update touches a few rows.

Shapes: R rows, K of them, E embedding.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_TINY = 1e-8


def touched(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (K,) that the gradient (R, E) of a table, sparse or not, touches; its values there."""
    if gradient.is_sparse:
        whole = gradient.coalesce()
        return whole.indices()[0], whole.values()
    rows = gradient.any(dim=1).nonzero().squeeze(1)
    return rows, gradient[rows]


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad (Duchi et al. 2011) with one sum of squares for each row instead of each number.

    A row's step shrinks with what it has learned, not with time, so rare rows learn as fast as
    frequent ones once did. torch's own needs as much memory as the table itself. Rows without a
    gradient stay as they are.
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
                rows, values = touched(table.grad)
                squares = self.state[table]["squares"]
                squares.index_add_(0, rows, values.square().mean(dim=1))
                steps = values / (squares[rows].sqrt() + _TINY).unsqueeze(1)
                table.index_add_(0, rows, steps, alpha=-group["lr"])
