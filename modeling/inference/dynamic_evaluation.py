"""Dynamic evaluation: bits of a model that keeps learning from the text it is evaluated on.

After each segment is charged, the weights take one step of stochastic gradient descent on it and
decay towards their trained values (Mikolov et al. 2010; Krause et al. 2018, "Dynamic Evaluation of
Neural Sequence Models"). Such a model adapts to the held-out text, as a compressor does: its bits
are comparable with a compressor's, never with those of a fixed model.

Shapes: T characters per segment, V ids.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from modeling.engines.rowwise_adagrad import RowSums
from modeling.inference.likelihood import Bits
from modeling.models.model import CharModel
from modeling.models.ngrams import NgramEmbedding
from modeling.vocab import UNKNOWN_ID, Ids, Vocabulary

RATES = (0.1, 0.03, 0.3)
NGRAM_RATES = (2.0, 0.5, 5.0, 10.0)
"""Candidates of `chosen_adaptation`; the first is chosen if there is no validation text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How a model adapts.

    Attributes:
        learning_rate: applied to the gradient of a segment's mean loss in nats.
        ngram_learning_rate: the same for the table of n-grams.
        segment_length: characters that are charged, then learned, together.
        decay: fraction of the distance to the trained weights by which each step moves back; in
            the table, only the rows that the segment reads.
        clip_norm: of the gradient, excluding the table.
        across_documents: keep adapted weights from one document to the next.
    """

    learning_rate: float = 0.1
    ngram_learning_rate: float = 2.0
    segment_length: int = 32
    decay: float = 0.003
    clip_norm: float = 1.0
    across_documents: bool = True


def dynamic_surprisals(
    model: CharModel,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    adaptation: Adaptation | None = None,
) -> Iterator[Bits]:
    """Score documents one after another while adapting to them.

    Args:
        model: not changed.
        vocabulary: the model's.
        documents: ids, each beginning with MARK_ID, which is not charged.
        adaptation: how to adapt.

    Yields:
        Bits of every character after the mark, (len(document) - 1,) float64, document by document.
    """
    distributions = dynamic_distributions(model, documents, adaptation)
    for document, segments in zip(documents, distributions, strict=True):
        wanted = torch.from_numpy(document[1:].astype(np.int64))
        parts, done = [np.zeros(0)], 0
        for logits in segments:
            ids = wanted[done : done + len(logits)].to(logits.device)
            nats = functional.cross_entropy(logits, ids, reduction="none")
            parts.append(nats.cpu().numpy().astype(np.float64) / math.log(2))
            done += len(ids)
        bits = np.concatenate(parts)
        bits[document[1:] == UNKNOWN_ID] += vocabulary.unknown_bits
        yield bits


def dynamic_distributions(
    model: CharModel, documents: Sequence[Ids], adaptation: Adaptation | None = None
) -> Iterator[Iterator[Tensor]]:
    """Predict documents one after another while adapting to them.

    Args:
        model: not changed.
        documents: ids, each beginning with MARK_ID, which is not predicted.
        adaptation: how to adapt.

    Yields:
        For each document the logits of its segments, (T, V), each before it is learned. The
        segments of a document are learned as they are asked for.
    """
    adaptation = adaptation or Adaptation()
    learner = _Adapting(model, adaptation)
    for document in documents:
        if not adaptation.across_documents:
            learner = _Adapting(model, adaptation)
        yield learner.read(document)


def chosen_adaptation(
    model: CharModel, vocabulary: Vocabulary, validation: Sequence[Ids], characters: int = 10_000
) -> Adaptation:
    """Choose the learning rates by their results on validation text, as Krause et al. do.

    Repetitive text needs large rates, verse small ones. The rate of the network is chosen first,
    then that of the table.

    Args:
        model: not changed.
        vocabulary: the model's.
        validation: documents, each beginning with MARK_ID.
        characters: how many of them to score, up to seven times.
    """
    excerpt = first_characters(validation, characters)

    def bits(adaptation: Adaptation) -> float:
        scored = dynamic_surprisals(model, vocabulary, excerpt, adaptation)
        return sum(float(part.sum()) for part in scored)

    best = min((Adaptation(learning_rate=rate) for rate in RATES), key=bits)
    if model.ngrams is not None:
        best = min((replace(best, ngram_learning_rate=rate) for rate in NGRAM_RATES), key=bits)
    return best


def first_characters(documents: Sequence[Ids], characters: int) -> list[Ids]:
    """Take documents from the first on, up to `characters` in all; the last one is cut."""
    kept: list[Ids] = []
    for document in documents:
        if characters <= 0:
            break
        kept.append(document[: characters + 1])
        characters -= len(kept[-1]) - 1
    return kept


class _Adapting:
    """A copy of the model that adapts, and the trained weights."""

    def __init__(self, model: CharModel, adaptation: Adaptation) -> None:
        self._adaptation = adaptation
        self._model = model.copied().eval()
        # cuDNN computes gradients only in training mode; the layers themselves have no dropout.
        self._model.layers.train()
        self._dense = self._model.dense_parameters()
        for weight in self._dense:
            weight.requires_grad_()
        self._trained = [weight.detach().clone() for weight in self._dense]
        self._ngrams = self._model.ngrams
        if self._ngrams is not None and model.ngrams is not None:
            self._trained_table = model.ngrams.table
            self._sums = RowSums(self._ngrams.table)

    def read(self, document: Ids) -> Iterator[Tensor]:
        """Predict a document segment by segment, (T, V), and learn each segment afterwards."""
        device = self._trained[0].device
        ids = torch.from_numpy(document.astype(np.int64)).to(device)
        state = self._model.zero_state(1)
        for start in range(0, len(ids) - 1, self._adaptation.segment_length):
            segment = ids[start : start + self._adaptation.segment_length + 1]
            logits, state = self._model(segment[None, :-1], state)
            yield logits[0].detach()
            nats = functional.cross_entropy(logits[0], segment[1:], reduction="none")
            self._learn(nats.mean())
            state = tuple(part.detach() for part in state)

    def _learn(self, loss: Tensor) -> None:
        self._model.zero_grad()
        loss.backward()
        clip_grad_norm_(self._dense, self._adaptation.clip_norm)
        with torch.no_grad():
            for weight, trained in zip(self._dense, self._trained, strict=True):
                if weight.grad is not None:
                    weight.sub_(weight.grad, alpha=self._adaptation.learning_rate)
                weight.lerp_(trained, self._adaptation.decay)
            if self._ngrams is not None:
                self._learn_ngrams(self._ngrams)

    def _learn_ngrams(self, ngrams: NgramEmbedding) -> None:
        rows, values = self._sums(*ngrams.gradient())
        stepped = ngrams.table[rows] - self._adaptation.ngram_learning_rate * values
        ngrams.table[rows] = stepped.lerp(self._trained_table[rows], self._adaptation.decay)
