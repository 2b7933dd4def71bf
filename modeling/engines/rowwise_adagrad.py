"""Adagrad for a table of embeddings of which an update reads a few rows.

Gradients are added up in memory as large as the table, at the rows that were read: all shapes are
known beforehand and nothing asks the device how many rows there were, so that the device never
waits for its host and an update can be recorded as one graph. A place that is listed twice is
computed twice, with the same result.

Shapes: R rows, E embedding, M sums, each of N rows of the table.
"""

import torch
from torch import Tensor

_TINY = 1e-8


class RowSums:
    """Adds up the gradients of a table's rows, in memory that is zero between two calls."""

    def __init__(self, table: Tensor) -> None:
        """Prepare for a table (R, E), whose last row has no gradient."""
        self._sums = torch.zeros_like(table)

    @torch.no_grad()
    def __call__(self, places: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Add up.

        Args:
            places: the rows that each sum consists of, (M, N) int64.
            gradient: of the sums, (M, E).

        Returns:
            The rows (M N,), as they are listed, and the whole gradient of each, (M N, E).
        """
        for column in places.unbind(dim=1):
            self._sums.index_add_(0, column, gradient)
        self._sums[-1].zero_()
        rows = places.flatten()
        found = self._sums.index_select(0, rows)
        self._sums.index_fill_(0, rows, 0)
        return rows, found


class RowwiseAdagrad:
    """Adagrad (Duchi et al. 2011) with one sum of squares for each row instead of each number.

    A row's step shrinks with what it has learned, not with time, so rare rows learn as fast as
    frequent ones once did. torch's own needs as much memory again. Rows without a gradient stay as
    they are.

    Attributes:
        squares: sum of the mean squares of every row's gradients, (R,).
    """

    def __init__(self, table: Tensor) -> None:
        """Take a table (R, E), whose last row stays as it is."""
        self._table = table
        self._sums = RowSums(table)
        self.squares = table.new_zeros(len(table))

    @torch.no_grad()
    def step(self, places: Tensor, gradient: Tensor, learning_rate: Tensor | float) -> None:
        """Update the table, given what `RowSums` takes."""
        rows, values = self._sums(places, gradient)
        squares = self.squares.index_select(0, rows) + values.square().mean(dim=1)
        self.squares.index_copy_(0, rows, squares)
        values *= (learning_rate / (squares.sqrt() + _TINY)).unsqueeze(1)
        self._table.index_copy_(0, rows, self._table.index_select(0, rows).sub_(values))
