"""Looking up and learning the table of n-grams, by the kernel.

`modeling.models.ngrams` and `modeling.engines.rowwise_adagrad` do the same in torch.

Shapes: B streams, T characters, N order of the n-grams, E embedding; P rows are read for a
character. M vectors are each the sum of P rows.
"""

from ctypes import CDLL, byref
from dataclasses import dataclass

import torch
from torch import Tensor

from modeling.native.library import Network
from modeling.native.memory import check_ids, check_tensor, empty
from modeling.native.threads import share

_PRODUCTS_PER_NUMBER = 10
"""Multiplications that take as long as fetching one number of a row from memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ngrams:
    """The table of an `NgramEmbedding`.

    Attributes:
        table: ((N - 1) times rows, E), N times with a layout; further rows are not read.
        rows: per order.
        codes: (V,) int64.
        powers: (N,) int64.
        kinds: of the layout, (V,) int64; None without one. Its rows follow those of the n-grams.
    """

    table: Tensor
    rows: int
    codes: Tensor
    powers: Tensor
    kinds: Tensor | None

    def put(self, network: Network) -> None:
        """Set the fields of a network that describe the table."""
        network.order, network.rows = len(self.powers), self.rows
        network.ngrams = self.table.data_ptr()
        network.codes, network.powers = self.codes.data_ptr(), self.powers.data_ptr()
        network.kinds = None if self.kinds is None else self.kinds.data_ptr()

    def divided(self, before: Tensor, streams: int) -> tuple[Tensor, Tensor]:
        """Divide what is remembered of the text before a chunk.

        Args:
            before: as in `State`.
            streams: B.

        Returns:
            The last characters, newest first, (B, N - 1), and the layout's state, (B, 2), zeros
            without one; copies.

        Raises:
            IndexError: an id or a column is out of range.
            ValueError: the shape or the type is another.
        """
        width = len(self.powers) - 1
        shape = (width + (0 if self.kinds is None else 2), streams, 1)
        check_tensor("before", before, shape, torch.int64)
        numbers = before.squeeze(2).t()
        characters = numbers[:, :width].flip(1).contiguous()
        lines = torch.zeros((len(numbers), 2), dtype=torch.int64)
        if self.kinds is not None:
            lines.copy_(numbers[:, width:])
        check_ids("ids before the chunk", characters, len(self.codes))
        if lines.numel() and int(lines[:, 0].min()) < 0:
            raise IndexError("a column before the chunk is negative")
        return characters, lines


def find_rows(library: CDLL, ngrams: Ngrams, ids: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Find the rows for the n-grams that end at each character, and for its place in the line.

    Args:
        library: the kernel.
        ngrams: the table.
        ids: (B, T) int64.
        before: as in `State`.

    Returns:
        Rows (B, T, P) int64, and what is `before` the next chunk.

    Raises:
        IndexError: an id is out of range.
        ValueError: a shape or a type is wrong.
    """
    streams, length = ids.shape
    check_tensor("ids", ids, (streams, length), torch.int64)
    check_ids("ids", ids, len(ngrams.codes))
    characters, lines = ngrams.divided(before, streams)
    rows = torch.empty(
        (streams, length, before.shape[0] - (ngrams.kinds is not None)), dtype=ids.dtype
    )
    network, ids = Network(), ids.contiguous()
    ngrams.put(network)
    library.find_rows(
        *(byref(network), length, ids.data_ptr(), characters.data_ptr(), lines.data_ptr()),
        *(rows.data_ptr(), 0, streams),
    )
    after = characters.flip(1).t()
    if ngrams.kinds is not None:
        after = torch.cat((after, lines.t()))
    return rows, after.unsqueeze(2)


def sum_of_rows(library: CDLL, table: Tensor, rows: Tensor) -> Tensor:
    """Sum rows of a table, (M, E).

    Args:
        library: the kernel.
        table: (R, E).
        rows: (M, P) int64, of the table.

    Raises:
        ValueError: the table is not float32 on the CPU.
    """
    check_tensor("table", table, tuple(table.shape), torch.float32)
    width, (vectors, count) = table.shape[1], rows.shape
    sums, rows, table = empty(library, vectors, width), rows.contiguous(), table.contiguous()
    share(
        vectors,
        lambda first, last: library.sum_of_rows(
            *(width, count, table.data_ptr(), rows.data_ptr(), sums.data_ptr(), first, last)
        ),
        rows.numel() * width * _PRODUCTS_PER_NUMBER,
    )
    return sums


class TableOptimizer:
    """`RowwiseAdagrad` of a table in the kernel."""

    def __init__(self, library: CDLL, table: Tensor, squares: Tensor) -> None:
        """Optimise a table.

        Args:
            library: the kernel.
            table: (R, E) float32; its last row never changes.
            squares: sum over updates of the mean square of each row's gradient, (R,) float32.
        """
        self._library, self._table, self._squares = library, table, squares
        self._firsts = torch.zeros(len(table), dtype=torch.int32)
        self._sums = torch.empty(0, table.shape[1])

    def step(self, rows: Tensor, gradients: Tensor, learning_rate: float) -> None:
        """Update the table.

        Args:
            rows: that each of M vectors is the sum of, (M, P) int64.
            gradients: of the vectors, (M, E).
            learning_rate: of this update.

        Raises:
            ValueError: a shape or a type is wrong.
        """
        vectors, count = rows.shape
        last_row, width = len(self._table) - 1, self._table.shape[1]
        check_tensor("table", self._table, (last_row + 1, width), torch.float32)
        check_tensor("squares", self._squares, (last_row + 1,), torch.float32)
        check_tensor("rows", rows, (vectors, count), torch.int64)
        check_tensor("gradients", gradients, (vectors, width), torch.float32)
        if len(self._sums) < rows.numel():
            self._sums = empty(self._library, rows.numel(), width)
        rows, gradients = rows.contiguous(), gradients.contiguous()
        share(
            last_row,
            lambda first, last: self._library.adagrad(
                *(width, vectors, count, rows.data_ptr(), gradients.data_ptr(), learning_rate),
                *(self._firsts.data_ptr(), self._sums.data_ptr(), self._squares.data_ptr()),
                *(self._table.data_ptr(), first, last),
            ),
            rows.numel() * width * _PRODUCTS_PER_NUMBER,
        )
