"""Text from a model: many independent streams, a block of characters at a time.

A stream's noise is decided by its seed (`noise.py`), and its logits by its characters. By the
native kernel they have the same bits whatever streams are written in the same batch, so a seed
gives the same text there. torch's matrix products, on a GPU or on a CPU without the kernel, may sum
in another order for another number of rows: logits then agree within 1e-5 of the largest (1e-3 with
TF32 on a GPU), and a text can, rarely, differ with the number of streams. It can also differ
between CPU types and between the kernel and torch; between CPU and GPU it does, for the noise does.

Shapes: B streams, K characters a block, V ids.
"""

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from modeling.device import use_tensor_cores
from modeling.inference.noise import MAX_SEED, Noise, noise_for
from modeling.inference.writing import Narrow, Writer
from modeling.models.lstm import CharLSTM
from modeling.native.stepper import NativeStepper
from modeling.vocab import FILE_MARK, UNKNOWN_ID, Ids, Vocabulary

_ROOM = 2**24
"""Numbers of noise for a block; drawing them takes some thirty bytes each on a GPU."""


def sample(
    model: CharLSTM,
    vocabulary: Vocabulary,
    *,
    seeds: Sequence[int],
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    max_run: int | None = None,
    prompt: str = FILE_MARK,
    block_length: int = 64,
) -> Iterator[Ids]:
    """Write `length` characters after a prompt, once for every seed.

    The unknown id is never chosen. A mark that is chosen ends its document: the next one begins
    with zero state, as in training.

    Args:
        model: on any device.
        vocabulary: the model's.
        seeds: one stream each, 0 to 2^63 - 1.
        length: characters a stream.
        temperature: divides the logits; 0 takes the likeliest character.
        top_k: choose among so many likeliest characters only.
        top_p: choose among the fewest likeliest characters whose probabilities sum to so much
            (nucleus sampling, Holtzman et al. 2020).
        max_run: no character is written more often than this in a row, the guard against a stream
            that falls into endless blanks or dashes.
        prompt: what the streams begin with; it stands at the start of a document, whether it
            begins with the file mark or not.
        block_length: characters between two blocks, fewer where streams or ids are very many;
            does not change the text.

    Returns:
        Blocks (B, K) uint16, K at most `block_length`; the prompt is not among them.

    Raises:
        ValueError: characters of the prompt are not in the vocabulary, or a number out of range.
    """
    _check(seeds, length, temperature, top_k, top_p, max_run)
    ids = vocabulary.encode(FILE_MARK + prompt.removeprefix(FILE_MARK))
    if UNKNOWN_ID in ids:
        strange = "".join(sorted({c for c in prompt if UNKNOWN_ID in vocabulary.encode(c)}))
        raise ValueError(f"prompt: characters the model does not know: {strange!r}")
    device = model.output.weight.device
    if device.type == "cuda":
        use_tensor_cores()
    noise = noise_for(device, seeds, vocabulary.size, temperature)
    narrow: Narrow | None = None
    if temperature and (top_k or top_p):
        narrow = functools.partial(_filtered, temperature=temperature, top_k=top_k, top_p=top_p)
    return _blocks(model, noise, ids, len(seeds), length, block_length, narrow, max_run)


def _check(
    seeds: Sequence[int],
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    max_run: int | None,
) -> None:
    if not seeds or min(seeds) < 0 or max(seeds) > MAX_SEED:
        raise ValueError(f"seeds must be given and lie in [0, {MAX_SEED}], got {list(seeds)}")
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    if not 0 <= temperature <= 100:
        raise ValueError(f"temperature must lie in [0, 100], got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], got {top_p}")
    if max_run is not None and max_run < 1:
        raise ValueError(f"max_run must be at least 1, got {max_run}")


@torch.inference_mode()
def _blocks(
    model: CharLSTM,
    noise: Noise,
    prompt: Ids,
    streams: int,
    length: int,
    block_length: int,
    narrow: Narrow | None,
    max_run: int | None,
) -> Iterator[Ids]:
    device, size = model.output.weight.device, model.output.out_features
    stepper = model.stepper(streams)
    block_length = min(block_length, length, max(1, _ROOM // (streams * size)))
    if isinstance(stepper, NativeStepper) and not narrow and not max_run:
        for character in prompt:
            stepper.step(torch.full((streams,), int(character)))
        write = stepper.draw
    else:
        room = torch.empty(block_length, streams, size, device=device)
        write = Writer(stepper, prompt, room, narrow=narrow, max_run=max_run).write
    for start in range(0, length, block_length):
        ids = write(noise.draw(min(block_length, length - start)))
        yield ids.cpu().numpy().astype(np.uint16)


def _filtered(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Put the logits (B, V) of all but the likeliest characters to -inf."""
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
