"""Adagrad for a table of embeddings of which an update reads only a few rows.

On a CPU the kernel does it (`TableOptimizer`). In torch, gradients are summed in memory as large as
the table, at the rows that were read. All shapes are known in advance and the number of distinct
rows is never needed, so the device never waits for the host and an update can be recorded as a CUDA
graph. A row that is listed twice is computed twice, with the same result.

Shapes: R rows, E embedding, M sums, each of N rows of the table.
"""

import torch
from torch import Tensor

from modeling.native.library import library
from modeling.native.ngrams import TableOptimizer

_TINY = 1e-8


class RowSums:
    """Sums the gradients of each row of a table, in memory that is zero between calls."""

    def __init__(self, table: Tensor) -> None:
        """Allocate memory for a table (R, E), whose last row has no gradient."""
        self._sums = torch.zeros_like(table)

    @torch.no_grad()
    def __call__(self, places: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the gradients of each row.

        Args:
            places: the N rows that each of M sums consists of, (M, N) int64.
            gradient: of the sums, (M, E).

        Returns:
            The rows in the order given, (M N,), and the total gradient of each, (M N, E).
        """
        for column in places.unbind(dim=1):
            self._sums.index_add_(0, column, gradient)
        self._sums[-1].zero_()
        rows = places.flatten()
        totals = self._sums.index_select(0, rows)
        self._sums.index_fill_(0, rows, 0)
        return rows, totals


class RowwiseAdagrad:
    """Adagrad (Duchi et al. 2011) with one sum of squares per row instead of per weight.

    The step size of a row shrinks with its own updates, not with time, so rare rows learn as fast
    as frequent ones did at first. torch's Adagrad would need memory for another table. Rows without
    a gradient do not change.

    Attributes:
        squares: sum over updates of the mean square of each row's gradient, (R,).
    """

    def __init__(self, table: Tensor, *, native: bool = True) -> None:
        """Optimise a table.

        Args:
            table: (R, E), whose last row never changes.
            native: use the kernel for float32 on the CPU, where the kernel is available.
        """
        self._table = table
        self.squares = table.new_zeros(len(table))
        fits = table.device.type == "cpu" and table.dtype == torch.float32
        kernel = library() if native and fits and table.is_contiguous() else None
        self._native = TableOptimizer(kernel, table, self.squares) if kernel else None
        self._sums = None if self._native else RowSums(table)

    @torch.no_grad()
    def step(self, places: Tensor, gradient: Tensor, learning_rate: Tensor | float) -> None:
        """Update the table, given what `RowSums` takes."""
        if self._native:
            self._native.step(places, gradient, float(learning_rate))
        elif self._sums:
            self._step(*self._sums(places, gradient), learning_rate)

    def _step(self, rows: Tensor, values: Tensor, learning_rate: Tensor | float) -> None:
        squares = self.squares.index_select(0, rows) + values.square().mean(dim=1)
        self.squares.index_copy_(0, rows, squares)
        values *= (learning_rate / (squares.sqrt() + _TINY)).unsqueeze(1)
        self._table.index_copy_(0, rows, self._table.index_select(0, rows).sub_(values))
