"""Bits that a model needs for text: exact, whatever the batching.

Every character is charged -log2 of its probability given all before it in its document, the state
being zero before the document's mark and carried from chunk to chunk. The unknown id is charged
`Vocabulary.unknown_bits` more, so that the bits are those of a distribution over all texts.
Documents of about one length are scored side by side; batch and chunk size move the result by
less than 1e-4 bits per character (float32 rounding; a GPU with TF32 was not measured), sums are
float64.

Shapes: R documents side by side, T characters a chunk, V ids.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from ctypes import CDLL

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from modeling.device import free_bytes
from modeling.models.lstm import CharLSTM, State, following
from modeling.native.scoring import nats_of
from modeling.native.weights import PackedWeights
from modeling.vocab import MARK_ID, UNKNOWN_ID, Ids, Vocabulary

Bits = NDArray[np.float64]

_DOCUMENTS = 64
"""Side by side: what two cores do best."""
_MOST_DOCUMENTS = 1024
_SHARE = 0.25
"""Of the free memory of a GPU, for the values of a chunk."""


def surprisals(
    model: CharLSTM,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    *,
    batch_size: int | None = None,
    chunk_length: int = 128,
) -> Iterator[tuple[int, Bits]]:
    """Score documents, the longest first.

    Args:
        model: scores without dropout; its mode is left as it was.
        vocabulary: the model's.
        documents: ids, each beginning with MARK_ID, which is given and not charged.
        batch_size: documents side by side; by default 64, on CUDA as many as use the card well.
        chunk_length: characters a call of the model, 2 at least.

    Yields:
        Index of a document and the bits of every character after its mark,
        (len(document) - 1,) float64.
    """
    assert chunk_length >= 2
    batch_size = batch_size or _batch_size(model, chunk_length)
    by_length = sorted(range(len(documents)), key=lambda index: -len(documents[index]))
    for start in range(0, len(by_length), batch_size):
        rows = by_length[start : start + batch_size]
        scored = _score(model, [documents[row] for row in rows], chunk_length)
        for row, bits in zip(rows, scored, strict=True):
            bits[documents[row][1:] == UNKNOWN_ID] += vocabulary.unknown_bits
            yield row, bits


def bits_of_documents(
    model: CharLSTM,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    *,
    batch_size: int | None = None,
) -> Bits:
    """Sum of the bits of every document, (len(documents),) float64."""
    sums = np.zeros(len(documents))
    for index, bits in surprisals(model, vocabulary, documents, batch_size=batch_size):
        sums[index] = bits.sum()
    return sums


def sample_surprisals(
    model: CharLSTM, vocabulary: Vocabulary, samples: Sequence[Ids]
) -> list[Bits]:
    """Bits of every character of texts with marks in them, (len(sample),) float64 each.

    Args:
        model: as in `surprisals`.
        vocabulary: the model's.
        samples: texts that stand at the start of a document, its mark left out. A mark inside is
            charged as the end of its document; what follows it is given that mark alone.
    """
    mark = np.array([MARK_ID], np.uint16)
    parts = [np.split(ids, np.flatnonzero(ids == MARK_ID) + 1) for ids in samples]
    documents = [np.concatenate([mark, part]) for of_sample in parts for part in of_sample]
    scored = dict(surprisals(model, vocabulary, documents))
    indices = iter(range(len(documents)))
    return [np.concatenate([scored[next(indices)] for _ in of_sample]) for of_sample in parts]


def _batch_size(model: CharLSTM, chunk_length: int) -> int:
    """Documents side by side for the device that the model is on."""
    device, shape = model.output.weight.device, model.config
    if device.type != "cuda":
        return _DOCUMENTS
    # Of a character: the logits, their logarithms and the gradient-free copies that torch makes of
    # them, what a layer reads and writes and its gates, the n-grams' rows and codes.
    values = 4 * model.output.out_features + 8 * shape.hidden_size
    values += (4 + 2 * shape.ngram_order) * shape.embedding_size
    fitting = int(_SHARE * free_bytes(device)) // (4 * values * chunk_length)
    return max(_DOCUMENTS, min(_MOST_DOCUMENTS, fitting))


@torch.inference_mode()
def _score(model: CharLSTM, documents: Sequence[Ids], chunk_length: int) -> list[Bits]:
    """Bits without the surcharge for unknown characters; `documents` sorted, longest first.

    Nothing is fetched from the device before the last chunk is under way.
    """
    lengths = np.array([len(document) - 1 for document in documents])
    was_training = model.training
    model.eval()
    price = _scorer(model)
    state = model.zero_state(len(documents))
    chunks: list[Tensor] = []
    for start in range(0, int(lengths[0]), chunk_length):
        active = int((lengths > start).sum())
        hidden, cell, before = (part[:, :active].contiguous() for part in state)
        block = _sent(_block(documents[:active], start, chunk_length), hidden.device)
        nats, state = price(block[:, :-1], block[:, 1:], (hidden, cell, before))
        chunks.append(nats)
    model.train(was_training)
    return _by_document(chunks, lengths, chunk_length)


def _by_document(chunks: Sequence[Tensor], lengths: NDArray[np.int64], width: int) -> list[Bits]:
    """Bits of every document, (lengths[i],) float64, given the nats of its chunks, (R, T) each."""
    scored = [np.zeros(length) for length in lengths]
    if not chunks:
        return scored
    fetched = torch.cat([chunk.flatten() for chunk in chunks]).cpu()
    parts = fetched.split([chunk.numel() for chunk in chunks])
    for index, (chunk, part) in enumerate(zip(chunks, parts, strict=True)):
        bits = part.view(chunk.shape).numpy().astype(np.float64) / math.log(2)
        for row, values in enumerate(bits):
            place = scored[row][index * width : (index + 1) * width]
            place[:] = values[: len(place)]
    return scored


def _sent(block: Tensor, device: torch.device) -> Tensor:
    """A copy on the device, made without waiting for it."""
    return block.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else block


def _scorer(model: CharLSTM) -> Callable[[Tensor, Tensor, State], tuple[Tensor, State]]:
    """A function of ids (R, T), targets (R, T) and state: nats (R, T), and the state after."""
    kernel = model.kernel()
    if kernel:
        return functools.partial(_nats_by_kernel, kernel, model.packed(kernel))
    return functools.partial(_nats_of, model)


def _nats_by_kernel(
    kernel: CDLL, packed: PackedWeights, ids: Tensor, targets: Tensor, state: State
) -> tuple[Tensor, State]:
    hidden, cell, before = state
    nats, after = nats_of(kernel, packed, ids, targets, (hidden, cell), before)
    return nats, (*after, following(before, ids))


def _nats_of(model: CharLSTM, ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
    logits, state = model(ids, state)
    # The model computes with time first: this order spares a copy of the logits.
    flat = logits.transpose(0, 1).flatten(0, 1)
    nats = functional.cross_entropy(flat, targets.t().flatten(), reduction="none")
    return nats.view(targets.t().shape).t(), state


def _block(documents: Sequence[Ids], start: int, chunk_length: int) -> Tensor:
    """Inputs and targets of one chunk, (R, T + 1) int64, filled up with marks.

    T is 2 at least: with T = 1 torch's CPU kernel takes far longer.
    """
    width = max(2, min(chunk_length, len(documents[0]) - 1 - start)) + 1
    block = np.full((len(documents), width), MARK_ID, np.int64)
    for row, document in zip(block, documents, strict=True):
        part = document[start : start + width]
        row[: len(part)] = part
    return torch.from_numpy(block)
