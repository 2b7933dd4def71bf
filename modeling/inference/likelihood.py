"""Bits that a model assigns to text, exact and independent of the batching.

Every character is charged -log2 of its probability given all characters before it in its document.
The state is zero before the document's mark and carried from chunk to chunk. The unknown id is
charged `Vocabulary.unknown_bits` more, so that the model is a distribution over all texts.
Documents of similar length are scored in parallel. Batch and chunk size change the result by less
than 1e-4 bits per character (float32 rounding; not measured on a GPU with TF32); sums are float64.

Shapes: R documents in parallel, T characters per chunk, V ids.
"""

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from modeling.device import free_bytes
from modeling.models.model import CharModel, PricedChunk, State
from modeling.vocab import MARK_ID, UNKNOWN_ID, Ids, Vocabulary

Bits = NDArray[np.float64]

_DOCUMENTS = 64
"""Documents in parallel; the fastest number on two cores."""
_MOST_DOCUMENTS = 1024
_SHARE = 0.25
"""Share of a GPU's free memory for the values of a chunk."""


def surprisals(
    model: CharModel,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    *,
    batch_size: int | None = None,
    chunk_length: int = 128,
) -> Iterator[tuple[int, Bits]]:
    """Score documents, the longest first.

    Args:
        model: scores without dropout; its mode is not changed.
        vocabulary: the model's.
        documents: ids, each beginning with MARK_ID, which is not charged.
        batch_size: documents in parallel; by default 64, on CUDA up to 1,024 if memory allows.
        chunk_length: characters per call of the model, at least 2.

    Yields:
        Index of a document, and the bits of every character after its mark,
        (len(document) - 1,) float64.
    """
    if chunk_length < 2:
        raise ValueError(f"chunk_length {chunk_length}, must be at least 2")
    if batch_size is None:
        batch_size = _DOCUMENTS
        if model.device.type == "cuda":
            batch_size = documents_in_parallel(model, chunk_length, free_bytes(model.device))
    by_length = sorted(range(len(documents)), key=lambda index: -len(documents[index]))
    for start in range(0, len(by_length), batch_size):
        rows = by_length[start : start + batch_size]
        scored = _score(model, [documents[row] for row in rows], chunk_length)
        for row, bits in zip(rows, scored, strict=True):
            bits[documents[row][1:] == UNKNOWN_ID] += vocabulary.unknown_bits
            yield row, bits


def bits_of_documents(
    model: CharModel,
    vocabulary: Vocabulary,
    documents: Sequence[Ids],
    *,
    batch_size: int | None = None,
) -> Bits:
    """Return the total bits of every document, (len(documents),) float64."""
    sums = np.zeros(len(documents))
    for index, bits in surprisals(model, vocabulary, documents, batch_size=batch_size):
        sums[index] = bits.sum()
    return sums


def sample_surprisals(
    model: CharModel, vocabulary: Vocabulary, samples: Sequence[Ids]
) -> list[Bits]:
    """Return the bits of every character of texts that contain marks, (len(sample),) float64 each.

    Args:
        model: as in `surprisals`.
        vocabulary: the model's.
        samples: texts that begin a document, without its mark. A mark inside a text is charged as
            the end of a document; the text after it is scored as a new document.
    """
    mark = np.array([MARK_ID], np.uint16)
    parts = [np.split(ids, np.flatnonzero(ids == MARK_ID) + 1) for ids in samples]
    documents = [np.concatenate([mark, part]) for of_sample in parts for part in of_sample]
    scored = dict(surprisals(model, vocabulary, documents))
    indices = iter(range(len(documents)))
    return [np.concatenate([scored[next(indices)] for _ in of_sample]) for of_sample in parts]


def documents_in_parallel(model: CharModel, chunk_length: int, free: int) -> int:
    """Choose the number of documents to score in parallel on a GPU.

    Args:
        model: its shape determines the memory that a document needs.
        chunk_length: T.
        free: free memory in bytes.
    """
    shape = model.config
    # Per character: the logits, their logarithms and torch's copies of them; the inputs, outputs
    # and gates of a layer; rows and codes of the n-grams.
    values = 4 * model.vocabulary_size + 8 * shape.hidden_size
    values += (4 + 2 * shape.ngram_order) * shape.embedding_size
    fitting = int(_SHARE * free) // (4 * values * chunk_length)
    return max(_DOCUMENTS, min(_MOST_DOCUMENTS, fitting))


@torch.inference_mode()
def _score(model: CharModel, documents: Sequence[Ids], chunk_length: int) -> list[Bits]:
    """Bits without the surcharge for unknown characters; `documents` are sorted, longest first.

    Nothing is fetched from the device before the last chunk has been launched.
    """
    lengths = np.array([len(document) - 1 for document in documents])
    was_training = model.training
    model.eval()
    price = _scorer(model)
    state = model.zero_state(len(documents))
    chunks: list[Tensor] = []
    for start in range(0, int(lengths[0]), chunk_length):
        active = int((lengths > start).sum())
        state = tuple(part[:, :active].contiguous() for part in state)
        block = _sent(_block(documents[:active], start, chunk_length), model.device)
        nats, state = price(block[:, :-1], block[:, 1:], state)
        chunks.append(nats)
    model.train(was_training)
    return _by_document(chunks, lengths, chunk_length)


def _by_document(chunks: Sequence[Tensor], lengths: NDArray[np.int64], width: int) -> list[Bits]:
    """Bits of every document, (lengths[i],) float64, from the nats of the chunks, each (R, T)."""
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
    """Copy to the device without waiting for it."""
    return block.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else block


def _scorer(model: CharModel) -> PricedChunk:
    """Return a function that gives nats (R, T), by the native kernel if possible."""
    native = model.native()
    return native.scorer() if native else functools.partial(_nats_of, model)


def _nats_of(model: CharModel, ids: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
    logits, state = model(ids, state)
    # The model computes with time first: this order avoids a copy of the logits.
    flat = logits.transpose(0, 1).flatten(0, 1)
    nats = functional.cross_entropy(flat, targets.t().flatten(), reduction="none")
    return nats.view(targets.t().shape).t(), state


def _block(documents: Sequence[Ids], start: int, chunk_length: int) -> Tensor:
    """Inputs and targets of one chunk, (R, T + 1) int64, padded with marks.

    T is at least 2, because with T = 1 torch's CPU kernel is far slower.
    """
    width = max(2, min(chunk_length, len(documents[0]) - 1 - start)) + 1
    block = np.full((len(documents), width), MARK_ID, np.int64)
    for row, document in zip(block, documents, strict=True):
        part = document[start : start + width]
        row[: len(part)] = part
    return torch.from_numpy(block)
