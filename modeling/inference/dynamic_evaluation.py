"""Dynamic evaluation: bits of a model that goes on learning from the text it has just been charged.

After every segment, charged before it is learned, the weights take one step of stochastic gradient
descent on it and decay towards where training left them (Mikolov et al. 2010; Krause et al. 2018,
"Dynamic Evaluation of Neural Sequence Models"). Such a model adapts to the held-out text, as a
compressor does: its bits compare with a compressor's, never with those of a fixed model.

Shapes: T characters a segment, V ids.
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
from modeling.models.lstm import CharLSTM
from modeling.models.ngrams import NgramEmbedding
from modeling.vocab import UNKNOWN_ID, Ids, Vocabulary

RATES = (0.1, 0.03, 0.3)
NGRAM_RATES = (2.0, 0.5, 5.0, 10.0)
"""What `chosen_adaptation` chooses from; the first where there is no text to choose by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How a model adapts.

    Attributes:
        learning_rate: of the gradient of the mean loss of a segment, in nats.
        ngram_learning_rate: the same for the table of n-grams.
        segment_length: characters charged and then learned at once.
        decay: share of the way back to the trained weights that every step goes; of the table,
            the rows that the segment reads.
        clip_norm: of the gradient, the table's aside.
        across_documents: keep what one document taught when the next begins.
    """

    learning_rate: float = 0.1
    ngram_learning_rate: float = 2.0
    segment_length: int = 32
    decay: float = 0.003
    clip_norm: float = 1.0
    across_documents: bool = True


def dynamic_surprisals(
    model: CharLSTM,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    adaptation: Adaptation | None = None,
) -> Iterator[Bits]:
    """Score documents one after another, adapting on the way.

    Args:
        model: is left as it was.
        vocabulary: the model's.
        documents: ids, each beginning with MARK_ID, which is given and not charged.
        adaptation: how to adapt.

    Yields:
        Bits of every character after the mark, (len(document) - 1,) float64, document by document.
    """
    how = adaptation or Adaptation()
    learner = _Adapting(model, how)
    for document in documents:
        if not how.across_documents:
            learner = _Adapting(model, how)
        bits = learner.read(document)
        bits[document[1:] == UNKNOWN_ID] += vocabulary.unknown_bits
        yield bits


def chosen_adaptation(
    model: CharLSTM, vocabulary: Vocabulary, validation: Sequence[Ids], characters: int = 10_000
) -> Adaptation:
    """Choose the rates, as Krause et al. do, by what they give on validation text.

    Text that repeats itself wants large ones, verse small ones. The network's rate is chosen first,
    the table's then.

    Args:
        model: is left as it was.
        vocabulary: the model's.
        validation: documents, each beginning with MARK_ID.
        characters: so many of them are scored, seven times.
    """
    some = first_characters(validation, characters)

    def bits(how: Adaptation) -> float:
        return sum(float(part.sum()) for part in dynamic_surprisals(model, vocabulary, some, how))

    best = min((Adaptation(learning_rate=rate) for rate in RATES), key=bits)
    if model.ngrams is not None:
        best = min((replace(best, ngram_learning_rate=rate) for rate in NGRAM_RATES), key=bits)
    return best


def first_characters(documents: Sequence[Ids], characters: int) -> list[Ids]:
    """Documents from the first one on, the last one cut, that have so many characters if all do."""
    kept: list[Ids] = []
    for document in documents:
        if characters <= 0:
            break
        kept.append(document[: characters + 1])
        characters -= len(kept[-1]) - 1
    return kept


class _Adapting:
    """A copy of the model, and where its weights were."""

    def __init__(self, model: CharLSTM, how: Adaptation) -> None:
        self._how = how
        self._model = model.copied().eval()
        # cuDNN goes back through a layer in training mode only; none has dropout of its own.
        self._model.layers.train()
        self._dense = self._model.dense_parameters()
        for weight in self._dense:
            weight.requires_grad_()
        self._trained = [weight.detach().clone() for weight in self._dense]
        self._ngrams = self._model.ngrams
        if self._ngrams is not None and model.ngrams is not None:
            self._trained_table = model.ngrams.table
            self._sums = RowSums(self._ngrams.table)

    def read(self, document: Ids) -> Bits:
        """Charge a document, segment by segment, and learn each."""
        device = self._trained[0].device
        ids = torch.from_numpy(document.astype(np.int64)).to(device)
        state = self._model.zero_state(1)
        parts = []
        for start in range(0, len(ids) - 1, self._how.segment_length):
            segment = ids[start : start + self._how.segment_length + 1]
            logits, state = self._model(segment[None, :-1], state)
            nats = functional.cross_entropy(logits[0], segment[1:], reduction="none")
            parts.append(nats.detach().cpu().numpy().astype(np.float64) / math.log(2))
            self._learn(nats.mean())
            state = (state[0].detach(), state[1].detach(), state[2])
        return np.concatenate(parts) if parts else np.zeros(0)

    def _learn(self, loss: Tensor) -> None:
        how = self._how
        self._model.zero_grad()
        loss.backward()
        clip_grad_norm_(self._dense, how.clip_norm)
        with torch.no_grad():
            for weight, trained in zip(self._dense, self._trained, strict=True):
                if weight.grad is not None:
                    weight.sub_(weight.grad, alpha=how.learning_rate)
                weight.lerp_(trained, how.decay)
            if self._ngrams is not None:
                self._learn_ngrams(self._ngrams)

    def _learn_ngrams(self, ngrams: NgramEmbedding) -> None:
        rows, values = self._sums(*ngrams.gradient())
        stepped = ngrams.table[rows] - self._how.ngram_learning_rate * values
        ngrams.table[rows] = stepped.lerp(self._trained_table[rows], self._how.decay)
