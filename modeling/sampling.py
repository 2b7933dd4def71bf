"""Text from a model: many independent streams, a block of characters at a time.

A stream is decided by its seed. Its noise comes from a generator of its own (Gumbel-argmax:
argmax(logits + temperature * Gumbel noise) is a draw from softmax(logits / temperature)), and the
streams are padded to a multiple of 4: with that, the matrix products of torch's CPU libraries
were measured to give each row the same bits whatever rows stand beside it. The noise is the same
on every machine; the logits, and with them rarely a character, can differ between CPU types,
numbers of threads and devices.

Shapes: B streams, filled up to S = a multiple of 4; K characters a block; V ids.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from modeling.models.lstm import CharLSTM
from modeling.vocab import FILE_MARK, UNKNOWN_ID, Ids, Vocabulary

_LANES = 4


def sample(
    model: CharLSTM,
    vocabulary: Vocabulary,
    *,
    seeds: Sequence[int],
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    prompt: str = FILE_MARK,
    block_length: int = 64,
) -> Iterator[Ids]:
    """Write `length` characters after a prompt, once for every seed.

    The unknown id is never chosen. A mark that is chosen ends its document: the next one begins
    with zero state, as in training.

    Args:
        model: on any device.
        vocabulary: the model's.
        seeds: one stream each, not negative.
        length: characters a stream.
        temperature: divides the logits; 0 takes the likeliest character.
        top_k: choose among so many likeliest characters only.
        top_p: choose among the fewest likeliest characters whose probabilities sum to so much
            (nucleus sampling, Holtzman et al. 2020).
        prompt: what the streams begin with; it stands at the start of a document, whether it
            begins with the file mark or not.
        block_length: characters between two blocks; does not change them.

    Returns:
        Blocks (B, K) uint16, K at most `block_length`; the prompt is not among them.

    Raises:
        ValueError: characters of the prompt are not in the vocabulary, or a number out of range.
    """
    _check(seeds, length, temperature, top_k, top_p)
    ids = vocabulary.encode(FILE_MARK + prompt.removeprefix(FILE_MARK))
    if UNKNOWN_ID in ids:
        strange = "".join(sorted({c for c in prompt if UNKNOWN_ID in vocabulary.encode(c)}))
        raise ValueError(f"prompt: characters the model does not know: {strange!r}")
    noise = _Noise(seeds, vocabulary.size, temperature)
    filters = (temperature, top_k, top_p) if temperature and (top_k or top_p) else None
    return _blocks(model, noise, ids, length, block_length, filters)


def _check(
    seeds: Sequence[int], length: int, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    if not seeds or min(seeds) < 0:
        raise ValueError(f"seeds must be given and not negative, got {list(seeds)}")
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    if not 0 <= temperature <= 100:
        raise ValueError(f"temperature must lie in [0, 100], got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], got {top_p}")


class _Noise:
    """Gumbel noise times temperature, from one generator a stream."""

    def __init__(self, seeds: Sequence[int], vocabulary_size: int, temperature: float) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._vocabulary_size = vocabulary_size
        self._temperature = temperature
        self.streams = len(seeds)
        self.lanes = -(-len(seeds) // _LANES) * _LANES

    def draw(self, steps: int) -> Tensor:
        """Noise for the next `steps` characters, (steps, S, V) float32; UNKNOWN_ID has -inf."""
        noise = np.ones((steps, self.lanes, self._vocabulary_size), np.float32)
        for lane, generator in enumerate(self._generators):
            shape = (steps, self._vocabulary_size)
            noise[:, lane] = generator.standard_exponential(shape, np.float32)
        # -log of an exponential variable is a Gumbel variable; 0 is drawn once in 2^32.
        noise = np.log(np.maximum(noise, np.finfo(np.float32).tiny, out=noise), out=noise)
        noise *= -self._temperature
        noise[:, :, UNKNOWN_ID] = -math.inf
        return torch.from_numpy(noise)


@torch.inference_mode()
def _blocks(
    model: CharLSTM,
    noise: _Noise,
    prompt: Ids,
    length: int,
    block_length: int,
    filters: tuple[float, int | None, float | None] | None,
) -> Iterator[Ids]:
    device = model.output.weight.device
    stepper = model.stepper(noise.lanes)
    logits = torch.empty(0)
    for character in prompt:
        logits = stepper.step(torch.full((noise.lanes,), int(character), device=device))
    for start in range(0, length, block_length):
        block = []
        for gumbel in noise.draw(min(block_length, length - start)).to(device):
            if filters:
                logits = _filtered(logits, *filters)
            block.append((logits + gumbel).argmax(dim=1))
            logits = stepper.step(block[-1])
        ids = torch.stack(block, dim=1)[: noise.streams]
        yield ids.cpu().numpy().astype(np.uint16)


def _filtered(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Put the logits (S, V) of all but the likeliest characters to -inf."""
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
