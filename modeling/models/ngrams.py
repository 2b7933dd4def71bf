"""Embeddings of the n-grams that end at a character, looked up in a table.

A narrow recurrent layer spends much of its width on remembering the last few characters. A table
provides them for a few memory reads: the n-grams of every order from 2 up are hashed to rows, whose
vectors are added to the embedding of the character. At equal training time this improved held-out
bits per character more than any change of shape (docs/figures.md). The Byte Latent Transformer
hashes n-grams at its input (Pagnoni et al. 2024), RNNME at its output (Mikolov et al. 2011).

Shapes: B streams, T characters, E embedding, N the highest order, R rows per order, V ids.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from modeling.models.layout import Layout
from modeling.native.ngrams import Ngrams

PRIME = 2**31 - 1
"""Modulus of the hash: a polynomial, whose bits are then mixed; nothing overflows int64."""
BASE = 1_103_515_245


class NgramEmbedding(nn.Module):
    """The sum of the vectors of the n-grams of orders 2 to N that end at a character.

    All rows are initially 0, so an n-gram that was never trained contributes nothing, unless it
    shares the row of another. torch differentiates only down to the sums; `gradient` returns the
    gradients of the rows.

    Attributes:
        codes: number of each id in hashes, (V,) int64. Fine-tuning on other text keeps the number
            of a character while its id changes.
    """

    codes: Tensor
    powers: Tensor
    _read: tuple[Tensor, Tensor] | None = None

    def __init__(
        self,
        order: int,
        rows: int,
        width: int,
        dropout: float,
        vocabulary_size: int,
        *,
        layout: bool = False,
    ) -> None:
        """Create a table of zeros.

        Args:
            order: N, at least 2.
            rows: R.
            width: E.
            dropout: probability that an n-gram is omitted in training; the others are scaled up.
            vocabulary_size: V.
            layout: whether a further part of the table embeds the place in the line.
        """
        super().__init__()
        self.order, self.rows, self.dropout = order, rows, dropout
        self.layout = Layout(vocabulary_size) if layout else None
        self._zero_row = (order - 1 + layout) * rows
        self.bag = nn.EmbeddingBag(
            self._zero_row + 1, width, mode="sum", padding_idx=self._zero_row
        ).requires_grad_(False)
        nn.init.zeros_(self.table)
        self.register_buffer("codes", torch.arange(1, vocabulary_size + 1))
        powers = torch.tensor([pow(BASE, place, PRIME) for place in range(order)])
        self.register_buffer("powers", powers, persistent=False)

    @property
    def table(self) -> Tensor:
        """Rows of all orders, those of the layout, and a last row that stays 0, (N R + 1, E)."""
        return self.bag.weight

    @property
    def memory(self) -> int:
        """Numbers that are remembered of the text before a chunk: M in `after`."""
        return self.order - 1 + (2 if self.layout else 0)

    def after(self, before: Tensor, ids: Tensor) -> Tensor:
        """What to remember after reading ids (B, T): the last characters, then the layout's state.

        Args:
            before: the same before `ids`, (M, B) int64.
        """
        last = self.order - 1
        after = torch.cat((before[:last], ids.t()))[ids.shape[1] :]
        if self.layout is None:
            return after
        return torch.cat((after, self._follow(ids, before)[1]))

    def _follow(self, ids: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """The layout of a chunk; arguments as for `places`."""
        assert self.layout is not None
        last = self.order - 1
        codes = self.codes[torch.cat((before[last - 2 : last].t(), ids), dim=1)]
        return self.layout.follow(ids, before[last:], codes)

    def places(self, ids: Tensor, before: Tensor) -> Tensor:
        """Return the rows of the n-grams and of the layout, (B, T, N - 1) or (B, T, N) int64.

        Args:
            ids: (B, T) int64.
            before: the N - 1 characters before `ids`, oldest first, and the layout's state if there
                is one, (M, B) int64.
        """
        last = self.order - 1
        codes = self.codes[torch.cat((before[:last].t(), ids), dim=1)]
        newest_first = codes.unfold(1, self.order, 1).flip(2)
        sums = (newest_first * self.powers).cumsum(dim=2)[:, :, 1:] % PRIME
        if self.layout is not None:
            places, _ = self._follow(ids, before)
            sums = torch.cat((sums, places.unsqueeze(2)), dim=2)
        hashes = (sums ^ (sums >> 15)) * BASE % PRIME % self.rows
        return hashes + self.rows * torch.arange(sums.shape[2], device=ids.device)

    def forward(self, ids: Tensor, before: Tensor) -> Tensor:
        """Sum the vectors of the n-grams, (B, T, E); arguments as for `places`."""
        return self.summed(self.places(ids, before), self.bag)

    def summed(self, places: Tensor, sum_of: Callable[[Tensor], Tensor]) -> Tensor:
        """Sum the vectors of places (B, T, N), in training without those that are omitted.

        Args:
            places: as `places` returns them.
            sum_of: sums rows (B T, N) of the table to (B T, E).
        """
        streams, length, _ = places.shape
        scale = 1.0
        if self.training and self.dropout:
            omitted = torch.rand(places.shape, device=places.device) < self.dropout
            places = places.masked_fill(omitted, self._zero_row)
            scale = 1 / (1 - self.dropout)
        places = places.flatten(0, 1)
        with torch.no_grad():
            sums = sum_of(places)
        if torch.is_grad_enabled():
            self._read = (places, sums.requires_grad_())
        return scale * sums.view(streams, length, -1)

    def gradient(self) -> tuple[Tensor, Tensor]:
        """Return the gradient of the table after a backward pass through the last `forward`.

        Returns:
            Rows (B T, P), and the gradient of each sum of P rows, (B T, E); P is N - 1, or N with a
            layout.
        """
        assert self._read is not None
        places, sums = self._read
        assert sums.grad is not None
        return places, sums.grad

    def for_kernel(self) -> Ngrams:
        """Return the table as the kernel reads it."""
        return Ngrams(
            table=self.table,
            rows=self.rows,
            codes=self.codes,
            powers=self.powers,
            kinds=self.layout.kinds if self.layout else None,
        )
