"""Gumbel noise for streams of characters; the noise of a stream depends only on its seed.

argmax(logits + temperature * Gumbel noise) is a draw from softmax(logits / temperature). On a CPU
the noise comes from numpy's generators, one per stream. On a GPU it is computed in place from a
counter: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") of seed,
position in the text and id. The two differ, and so do the texts of a seed.

A single source for both was measured: numpy's Philox with logarithms by numpy is as fast as its
other generators with AVX-512, and takes 2.3 times as long without.

Shapes: B streams, K characters, V ids.
"""

import functools
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modeling.native.threads import share
from modeling.vocab import UNKNOWN_ID

MAX_SEED = 2**63 - 1
_COST = 100
"""Cost of a random number, in multiplications."""
_WORD = 2**32 - 1
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
"""Added to the key in each round."""
_ROUNDS = 10
_BELOW_ONE = 1 - 2**-24
"""The largest float32 below 1."""

Words = tuple[Tensor, Tensor, Tensor, Tensor]


class Noise(Protocol):
    """A source of noise for B streams."""

    def draw(self, steps: int) -> Tensor:
        """Noise for the next `steps` characters, (B, steps, V) float32; UNKNOWN_ID has -inf."""
        ...


def noise_for(
    device: torch.device, seeds: Sequence[int], vocabulary_size: int, temperature: float
) -> Noise:
    """Create the source of noise for a device; noise is multiplied by `temperature`."""
    if device.type == "cuda":
        return CounterNoise(seeds, vocabulary_size, temperature, device)
    return GeneratorNoise(seeds, vocabulary_size, temperature)


class GeneratorNoise:
    """Noise from numpy's generators, on the CPU."""

    def __init__(self, seeds: Sequence[int], vocabulary_size: int, temperature: float) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._vocabulary_size = vocabulary_size
        self._temperature = temperature

    def draw(self, steps: int) -> Tensor:
        """Draw the next noise, as in `Noise`."""
        streams = len(self._generators)
        noise = np.empty((streams, steps, self._vocabulary_size), np.float32)
        share(streams, functools.partial(self._fill, noise), _COST * noise.size)
        return torch.from_numpy(noise)

    def _fill(self, noise: NDArray[np.float32], first: int, last: int) -> None:
        part = noise[first:last]
        for generator, stream in zip(self._generators[first:last], part, strict=True):
            generator.standard_exponential(out=stream, dtype=np.float32)
        # -log of an exponential variable is a Gumbel variable; 0 occurs once in 2^32 draws.
        np.log(np.maximum(part, np.finfo(np.float32).tiny, out=part), out=part)
        part *= -self._temperature
        part[:, :, UNKNOWN_ID] = -math.inf


class CounterNoise:
    """Noise from a counter, on any device; each draw continues where the last one ended."""

    def __init__(
        self,
        seeds: Sequence[int],
        vocabulary_size: int,
        temperature: float,
        device: torch.device,
    ) -> None:
        self._seeds = torch.tensor(list(seeds), device=device)[:, None, None]
        self._vocabulary_size = vocabulary_size
        self._temperature = temperature
        self._position = 0

    @torch.inference_mode()
    def draw(self, steps: int) -> Tensor:
        """Draw the next noise, as in `Noise`."""
        device, size = self._seeds.device, self._vocabulary_size
        positions = torch.arange(self._position, self._position + steps, device=device)[:, None]
        self._position += steps
        quads = torch.arange(-(-size // 4), device=device)
        counter = (quads, torch.zeros_like(quads), positions & _WORD, positions >> 32)
        words = philox(counter, (self._seeds & _WORD, self._seeds >> 32))
        noise = gumbel(torch.stack(words, dim=-1).flatten(2)[:, :, :size]).mul_(self._temperature)
        noise[:, :, UNKNOWN_ID] = -math.inf
        return noise


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Compute Philox4x32-10 of counters and keys that broadcast; each int64 holds 32 bits.

    A product of two words needs 64 bits, so signed int64 overflows and wraps around. Its bits are
    still those of the unsigned product, and masks extract the two halves.
    """
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = x0 * _MULTIPLIERS[0], x2 * _MULTIPLIERS[1]
        x0, x1, x2, x3 = (
            (second >> 32) & _WORD ^ x1 ^ k0,
            second & _WORD,
            (first >> 32) & _WORD ^ x3 ^ k1,
            first & _WORD,
        )
        k0, k1 = k0 + _WEYL[0] & _WORD, k1 + _WEYL[1] & _WORD
    return x0, x1, x2, x3


def gumbel(words: Tensor) -> Tensor:
    """Turn words of 32 bits (int64) into Gumbel noise (float32).

    A word selects the middle of one of 2^32 equal parts of (0, 1). Large noise, which decides an
    argmax, comes from numbers near 0, where float32 has 24 significant bits; log1p preserves them.
    """
    uniform = words.float().add_(0.5).mul_(2.0**-32).clamp_(max=_BELOW_ONE)
    return uniform.neg_().log1p_().neg_().log_().neg_()
