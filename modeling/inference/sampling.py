"""Sampling: many independent streams of text, a block of characters at a time.

The noise of a stream depends only on its seed (`noise.py`), and its logits only on its characters.
The native kernel computes logits with the same bits whatever streams share the batch, so there a
seed always gives the same text. torch's matrix products, on a GPU or on a CPU without the kernel,
may sum in a different order for a different number of rows: logits then agree within 1e-5 of the
largest (1e-3 with TF32 on a GPU), and in rare cases a text changes with the number of streams. A
text can also differ between CPU types and between the kernel and torch. CPU and GPU give different
texts, because their noise differs.

Shapes: B streams, K characters per block, V ids.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from modeling.device import use_tensor_cores
from modeling.errors import SamplingError
from modeling.inference.noise import MAX_SEED, Noise, noise_for
from modeling.inference.settings import SamplingSettings
from modeling.inference.writing import Writer
from modeling.models.model import BlockStepper, CharModel
from modeling.vocab import FILE_MARK, UNKNOWN_ID, Ids, Vocabulary

MAX_NOISE = 2**24
"""Most random numbers per block; drawing them takes about thirty bytes each on a GPU."""


def sample(
    model: CharModel,
    vocabulary: Vocabulary,
    seeds: Sequence[int],
    settings: SamplingSettings,
    *,
    block_length: int = 64,
    max_noise: int = MAX_NOISE,
) -> Iterator[Ids]:
    """Write text after a prompt, one stream for every seed.

    The unknown id is never chosen. A file mark ends a document: the next one begins with zero
    state, as in training.

    Args:
        model: on any device.
        vocabulary: the model's.
        seeds: one per stream, each 0 to 2^63 - 1.
        settings: of all streams.
        block_length: characters per block; does not change the text.
        max_noise: limits the size of a block: streams x characters x ids.

    Returns:
        Blocks (B, K) uint16, K at most `block_length`; they do not include the prompt.

    Raises:
        SamplingError: the prompt contains characters that the model does not know, or a seed is
            out of range.
    """
    if not seeds or min(seeds) < 0 or max(seeds) > MAX_SEED:
        raise SamplingError(f"seeds must be given and lie in [0, {MAX_SEED}], got {list(seeds)}")
    prompt = _encoded(settings.prompt, vocabulary)
    if model.device.type == "cuda":
        use_tensor_cores()
    noise = noise_for(model.device, seeds, vocabulary.size, settings.temperature)
    fitting = max(1, max_noise // (len(seeds) * vocabulary.size))
    block_length = min(block_length, settings.length, fitting)
    return _blocks(model, noise, prompt, len(seeds), settings, block_length)


def _encoded(prompt: str, vocabulary: Vocabulary) -> Ids:
    ids = vocabulary.encode(FILE_MARK + prompt.removeprefix(FILE_MARK))
    if UNKNOWN_ID in ids:
        unknown = "".join(sorted({c for c in prompt if UNKNOWN_ID in vocabulary.encode(c)}))
        raise SamplingError(f"prompt: characters the model does not know: {unknown!r}")
    return ids


@torch.inference_mode()
def _blocks(
    model: CharModel,
    noise: Noise,
    prompt: Ids,
    streams: int,
    settings: SamplingSettings,
    block_length: int,
) -> Iterator[Ids]:
    write = _writer(model, prompt, streams, settings, block_length)
    for start in range(0, settings.length, block_length):
        ids = write(noise.draw(min(block_length, settings.length - start)))
        yield ids.cpu().numpy().astype(np.uint16)


def _writer(
    model: CharModel, prompt: Ids, streams: int, settings: SamplingSettings, block_length: int
) -> Callable[[Tensor], Tensor]:
    """Read the prompt; return a function from noise (B, K, V) to ids (B, K)."""
    stepper = model.stepper(streams)
    is_filtered = bool(settings.temperature and (settings.top_k or settings.top_p))
    cooled = 1.0 if settings.sharpen_runs else settings.temperature or 1.0
    if isinstance(stepper, BlockStepper) and not is_filtered and not settings.max_run:
        for character in prompt:
            stepper.step(torch.full((streams,), int(character)))
        return functools.partial(stepper.draw, temperature=cooled)
    narrow = None
    if is_filtered:
        narrow = functools.partial(
            _filtered,
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
        )
    room = torch.empty(block_length, streams, model.vocabulary_size, device=model.device)
    return Writer(
        stepper, prompt, room, narrow=narrow, max_run=settings.max_run, temperature=cooled
    ).write


def _filtered(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Set the logits (B, V) of all but the likeliest characters to -inf."""
    logits = logits.clone()
    logits[:, UNKNOWN_ID] = -math.inf
    ordered, places = logits.sort(dim=1, descending=True)
    likely = (ordered / temperature).softmax(dim=1)
    kept = torch.ones_like(ordered, dtype=torch.bool)
    if top_k is not None:
        kept[:, top_k:] = False
    if top_p is not None:
        kept &= likely.cumsum(dim=1) - likely < top_p
    return logits.masked_fill(~torch.zeros_like(kept).scatter(1, places, kept), -math.inf)
