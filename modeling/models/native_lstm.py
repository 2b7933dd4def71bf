"""A character LSTM as the native kernel computes it.

Shapes: B streams, T characters, E embedding.
"""

import functools
from ctypes import CDLL
from dataclasses import replace

import torch
from torch import Tensor

from modeling.models.model import CharModel, PricedChunk, State
from modeling.native.loss import ChunkLoss
from modeling.native.ngrams import find_rows, sum_of_rows
from modeling.native.scoring import nats_of
from modeling.native.stepper import NativeStepper
from modeling.native.weights import PackedWeights, Weights
from modeling.vocab import MARK_ID


class NativeLSTM:
    """Loss, scores and steps of an LSTM whose weights are float32 on the CPU."""

    def __init__(self, model: CharModel, kernel: CDLL) -> None:
        """Wrap a model.

        Args:
            model: its layers are nn.LSTM, one layer each.
            kernel: the native library.
        """
        self._model = model
        self._kernel = kernel

    def objective(self, *, mixed: bool) -> PricedChunk:
        """Return the loss to train with, as in `NativeModel`."""
        loss_of = ChunkLoss(self._kernel, self._model.config.dropout, mixed=mixed)

        def objective(ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
            hidden, cell, before = state
            weights, rows, before = self.weights_for(ids, before)
            loss, after = loss_of(weights, rows, targets, (hidden, cell))
            return loss, (*after, before)

        return objective

    def scorer(self) -> PricedChunk:
        """Return a function that gives the nats of every target, as in `NativeModel`."""
        price = functools.partial(nats_of, self._kernel, self.packed())

        def score(ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
            hidden, cell, before = state
            nats, after = price(ids, targets, (hidden, cell), before)
            return nats, (*after, self._model.after(before, ids))

        return score

    def stepper(self, batch_size: int) -> NativeStepper:
        """Prepare to read streams with matrices rounded to half precision."""
        return NativeStepper(self._kernel, self.packed(halves=True), batch_size, MARK_ID)

    def weights(self, embedded: Tensor | None = None) -> Weights:
        """The parameters in the kernel's order; torch differentiates through them.

        Args:
            embedded: the sum of character and n-gram embeddings of one chunk, (T, B, E); None to
                look n-grams up in the kernel.
        """
        model = self._model
        weights = Weights.of(
            model.embedding.weight,
            model.layers,
            model.norm,
            model.output,
            model.direct,
            skip=model.config.skip,
            ngrams=model.ngrams is not None,
        )
        return replace(weights, embedded=embedded)

    def weights_for(self, ids: Tensor, before: Tensor) -> tuple[Weights, Tensor, Tensor]:
        """The parameters for a chunk, and the row of their table that each character reads.

        Args:
            ids: (B, T) int64.
            before: as in `State`.

        Returns:
            The weights, rows (B, T) int64, and what is `before` the next chunk.

        Raises:
            IndexError: an id is out of range.
            ValueError: a shape or a type is wrong.
        """
        model, ngrams = self._model, self._model.ngrams
        if ngrams is None:
            return self.weights(), ids, before
        places, after = find_rows(self._kernel, ngrams.for_kernel(), ids, before)
        sums = ngrams.summed(places, functools.partial(sum_of_rows, self._kernel, ngrams.table))
        embedded = (model.embedding(ids) + sums).transpose(0, 1)
        return self.weights(embedded), torch.zeros_like(ids), after

    def packed(self, *, halves: bool = False) -> PackedWeights:
        """Copy the parameters into the kernel's layout, for reading text without gradients.

        Args:
            halves: round the matrices to half precision.
        """
        ngrams = None if self._model.ngrams is None else self._model.ngrams.for_kernel()
        return PackedWeights(self._kernel, self.weights(), halves=halves, ngrams=ngrams)
