"""What stands before a character, looked up: embeddings of the n-grams that end there.

A narrow recurrent layer spends much of its width on telling apart what the last few characters
were. A table answers that at the price of a few reads: the n-grams of every order from 2 on are
hashed to rows, whose vectors are added to the character's own embedding. At equal time this moved
held-out bits per character further than any change of shape (docs/figures.md). The Byte Latent
Transformer hashes n-grams at its input (Pagnoni et al. 2024), RNNME at its output (Mikolov et al.
2011).

Shapes: B streams, T characters, E embedding, N the highest order, R rows an order, V ids.
"""

import torch
from torch import Tensor, nn

from modeling.native.weights import Ngrams

PRIME = 2**31 - 1
"""Modulus of the hash, a polynomial whose bits are then mixed; all of it stays within int64."""
BASE = 1_103_515_245


class NgramEmbedding(nn.Module):
    """The sum of the vectors of the n-grams of orders 2 to N that end at a character.

    All rows are 0 at first, so an n-gram never seen says nothing unless it shares the row of one
    that was. torch differentiates as far as the sums: `gradient` has the table's, by place.

    Attributes:
        codes: the number that stands for each id in hashes, (V,) int64. Fine-tuning on other text
            keeps a character's number while its id changes.
    """

    codes: Tensor
    powers: Tensor
    _read: tuple[Tensor, Tensor] | None = None

    def __init__(
        self, order: int, rows: int, width: int, dropout: float, vocabulary_size: int
    ) -> None:
        """Make an empty table.

        Args:
            order: N, at least 2.
            rows: R.
            width: E.
            dropout: probability that an n-gram is left out, while training; the others count more.
            vocabulary_size: V.
        """
        super().__init__()
        self.order, self.rows, self.dropout = order, rows, dropout
        self._nothing = (order - 1) * rows
        self.bag = nn.EmbeddingBag(
            self._nothing + 1, width, mode="sum", padding_idx=self._nothing
        ).requires_grad_(False)
        nn.init.zeros_(self.table)
        self.register_buffer("codes", torch.arange(1, vocabulary_size + 1))
        powers = torch.tensor([pow(BASE, place, PRIME) for place in range(order)])
        self.register_buffer("powers", powers, persistent=False)

    @property
    def table(self) -> Tensor:
        """Rows of all orders, and one that stays 0, ((N - 1) R + 1, E)."""
        return self.bag.weight

    def places(self, ids: Tensor, before: Tensor) -> Tensor:
        """Rows of the n-grams, (B, T, N - 1) int64.

        Args:
            ids: (B, T) int64.
            before: the N - 1 characters before them, oldest first, (N - 1, B) int64.
        """
        codes = self.codes[torch.cat((before.t(), ids), dim=1)]
        newest_first = codes.unfold(1, self.order, 1).flip(2)
        sums = (newest_first * self.powers).cumsum(dim=2)[:, :, 1:] % PRIME
        hashes = (sums ^ (sums >> 15)) * BASE % PRIME % self.rows
        return hashes + self.rows * torch.arange(self.order - 1, device=ids.device)

    def forward(self, ids: Tensor, before: Tensor) -> Tensor:
        """Vectors (B, T, E), given what `places` takes."""
        places = self.places(ids, before)
        scale = 1.0
        if self.training and self.dropout:
            left_out = torch.rand(places.shape, device=places.device) < self.dropout
            places = places.masked_fill(left_out, self._nothing)
            scale = 1 / (1 - self.dropout)
        places = places.flatten(0, 1)
        with torch.no_grad():
            sums = self.bag(places)
        if torch.is_grad_enabled():
            self._read = (places, sums.requires_grad_())
        return scale * sums.view(*ids.shape, -1)

    def gradient(self) -> tuple[Tensor, Tensor]:
        """What the table has to learn from the last call that could be differentiated.

        Returns:
            Rows (B T, N - 1), and the gradient of the sum of each of them, (B T, E).
        """
        assert self._read is not None
        places, sums = self._read
        assert sums.grad is not None
        return places, sums.grad

    def for_kernel(self) -> Ngrams:
        """What the kernel reads."""
        return Ngrams(table=self.table, rows=self.rows, codes=self.codes, powers=self.powers)
