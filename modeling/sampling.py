"""Text from a model: many independent streams, a block of characters at a time.

A stream is decided by its seed. Its noise comes from a generator of its own (Gumbel-argmax:
argmax(logits + temperature * Gumbel noise) is a draw from softmax(logits / temperature)), and the
logits of a stream have the same bits whatever streams stand beside it. The noise is the same on
every machine; the logits, and with them rarely a character, can differ between CPU types, devices,
and with and without the native kernel.

Shapes: B streams, K characters a block, V ids.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modeling.models.lstm import CharLSTM, LSTMStepper
from modeling.native.stepper import NativeStepper
from modeling.native.threads import share
from modeling.vocab import FILE_MARK, UNKNOWN_ID, Ids, Vocabulary

Narrow = Callable[[Tensor, Tensor], Tensor]
"""From logits (B, V) and the last characters (B,) to logits with what may not come at -inf."""

_COST = 100
"""Of a random number, in multiplications."""


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
        seeds: one stream each, not negative.
        length: characters a stream.
        temperature: divides the logits; 0 takes the likeliest character.
        top_k: choose among so many likeliest characters only.
        top_p: choose among the fewest likeliest characters whose probabilities sum to so much
            (nucleus sampling, Holtzman et al. 2020).
        max_run: no character is written more often than this in a row, the guard against a stream
            that falls into endless blanks or dashes.
        prompt: what the streams begin with; it stands at the start of a document, whether it
            begins with the file mark or not.
        block_length: characters between two blocks; does not change them.

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
    noise = _Noise(seeds, vocabulary.size, temperature)
    narrow: list[Narrow] = []
    if max_run:
        narrow.append(_RunGuard(max_run, len(seeds)))
    if temperature and (top_k or top_p):
        likeliest = functools.partial(_filtered, temperature=temperature, top_k=top_k, top_p=top_p)
        narrow.append(lambda logits, _last: likeliest(logits))
    return _blocks(model, noise, ids, length, block_length, narrow)


def _check(
    seeds: Sequence[int],
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    max_run: int | None,
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
    if max_run is not None and max_run < 1:
        raise ValueError(f"max_run must be at least 1, got {max_run}")


class _Noise:
    """Gumbel noise times temperature, from one generator a stream."""

    def __init__(self, seeds: Sequence[int], vocabulary_size: int, temperature: float) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._vocabulary_size = vocabulary_size
        self._temperature = temperature
        self.streams = len(seeds)

    def draw(self, steps: int) -> Tensor:
        """Noise for the next `steps` characters, (B, steps, V) float32; UNKNOWN_ID has -inf."""
        noise = np.empty((self.streams, steps, self._vocabulary_size), np.float32)
        share(self.streams, functools.partial(self._fill, noise), _COST * noise.size)
        return torch.from_numpy(noise)

    def _fill(self, noise: NDArray[np.float32], first: int, last: int) -> None:
        part = noise[first:last]
        for generator, stream in zip(self._generators[first:last], part, strict=True):
            generator.standard_exponential(out=stream, dtype=np.float32)
        # -log of an exponential variable is a Gumbel variable; 0 is drawn once in 2^32.
        np.log(np.maximum(part, np.finfo(np.float32).tiny, out=part), out=part)
        part *= -self._temperature
        part[:, :, UNKNOWN_ID] = -math.inf


@torch.inference_mode()
def _blocks(
    model: CharLSTM,
    noise: _Noise,
    prompt: Ids,
    length: int,
    block_length: int,
    narrow: Sequence[Narrow],
) -> Iterator[Ids]:
    device = model.output.weight.device
    stepper = model.stepper(noise.streams)
    logits = last = torch.empty(0)
    for character in prompt:
        last = torch.full((noise.streams,), int(character), device=device)
        logits = stepper.step(last)
    for start in range(0, length, block_length):
        gumbel = noise.draw(min(block_length, length - start)).to(device)
        if not narrow and isinstance(stepper, NativeStepper):
            ids = stepper.draw(gumbel)
        else:
            ids, logits = _draw(stepper, logits, last, gumbel, narrow)
            last = ids[:, -1]
        yield ids.cpu().numpy().astype(np.uint16)


def _draw(
    stepper: NativeStepper | LSTMStepper,
    logits: Tensor,
    last: Tensor,
    gumbel: Tensor,
    narrow: Sequence[Narrow],
) -> tuple[Tensor, Tensor]:
    """Characters (B, K) and the logits after them (B, V), given those before and the last ids."""
    block = []
    for noise in gumbel.unbind(dim=1):
        scores = logits
        for narrowed in narrow:
            scores = narrowed(scores, last)
        last = (scores + noise).argmax(dim=1)
        block.append(last)
        logits = stepper.step(last)
    return torch.stack(block, dim=1), logits


class _RunGuard:
    """Puts the logits of characters that have stood often enough in a row to -inf."""

    def __init__(self, max_run: int, streams: int) -> None:
        self._max_run = max_run
        self._before = torch.full((streams,), -1)
        self._runs = torch.zeros(streams, dtype=torch.int64)

    def __call__(self, logits: Tensor, last: Tensor) -> Tensor:
        """Logits (B, V) given the characters just written, (B,)."""
        here = last.cpu()
        self._runs = torch.where(here == self._before, self._runs + 1, 1)
        self._before = here
        full = torch.zeros_like(logits, dtype=torch.bool)
        rows = torch.arange(len(here), device=logits.device)
        full[rows, last] = (self._runs >= self._max_run).to(logits.device)
        return logits.masked_fill(full, -math.inf)


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
