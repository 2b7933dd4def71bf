"""Which engine computes a training, in which precision: chosen by measuring, not by CPU flags.

Processors with the same instructions differ: products of bfloat16 double the speed of AMD's Zen 5
and slow an Intel Sapphire Rapids down by 40 %. So every training that has a choice runs a short
race first (`race.py`). This module defines its result and the rules that decide it.

The choice determines the bits of the trained weights, so checkpoints record it.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from modeling.config import ModelConfig
from modeling.models import build_model
from modeling.native.library import library
from modeling.native.threads import threads_in_use

_ROUNDS = 4
_MARGIN = 1.03
"""Factor by which a candidate must beat those listed before it: less is noise."""
_HOPELESS = 2.0
"""Candidates this many times slower than the fastest in the first round are dropped."""
_FEWER_THREADS = 1.3
"""Factor by which fewer threads must be faster: more threads may be slow only for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How a training computes.

    Attributes:
        native: compute losses, and learn the table of n-grams, by the native kernel; otherwise by
            torch.
        precision: of the factors of matrix products; sums are float32.
        threads: CPU threads; 0 for torch's default.
        wide_tiles: use the kernel's wide tiles in matrix products; does not change any result.
        reason: why this engine was chosen, in words.
    """

    native: bool
    precision: Literal["float32", "bfloat16"]
    threads: int = 0
    wide_tiles: bool = False
    reason: str = ""

    def __str__(self) -> str:
        """Name the engine for people."""
        return f"{'native kernel' if self.native else 'torch'}, {self.precision}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Set the threads and tiles of torch and the kernel inside the block."""
        kernel, threads = library(), self.threads or torch.get_num_threads()
        if kernel:
            kernel.use_wide_tiles(self.wide_tiles)
        try:
            with threads_in_use(kernel=threads, others=1 if self.native and kernel else threads):
                yield
        finally:
            if kernel:
                kernel.use_wide_tiles(False)


def measured(
    candidates: Sequence[Engine], seconds_of: Callable[[Engine], float], budget: float
) -> dict[Engine, float]:
    """Time the candidates in rounds; return the shortest time of each, in seconds.

    Args:
        candidates: at least one.
        seconds_of: runs a fixed amount of work with a candidate and returns how long it took.
        budget: seconds after which no further round starts. There are at most `_ROUNDS`;
            candidates that are far slower in the first round skip the others.
    """
    best = {candidate: seconds_of(candidate) for candidate in candidates}
    limit, spent = _HOPELESS * min(best.values()), sum(best.values())
    for _ in range(_ROUNDS - 1):
        if spent > budget:
            break
        for candidate in candidates:
            if best[candidate] <= limit:
                taken = seconds_of(candidate)
                best[candidate], spent = min(best[candidate], taken), spent + taken
    return best


def fastest(seconds: Mapping[Engine, float]) -> Engine:
    """Return the fastest engine; on a tie the one listed first."""
    first, *others = seconds
    for other in others:
        first = other if seconds[other] * _MARGIN < seconds[first] else first
    return first


def enough_threads(seconds: Mapping[int, float]) -> int:
    """Choose the largest number of threads, unless fewer are clearly faster.

    Args:
        seconds: time taken by each number of threads.
    """
    limit = _FEWER_THREADS * min(seconds.values())
    return max(number for number, taken in seconds.items() if taken <= limit)


def reason_of(chosen: Engine, seconds: Mapping[Engine, float]) -> str:
    """Describe what was measured: "measured: torch, float32 took 1.42 times as long; ..."."""
    others = [
        f"{other} took {taken / seconds[chosen]:.2f} times as long"
        for other, taken in seconds.items()
        if other != chosen
    ]
    return "measured: " + "; ".join(others) if others else "the only one here"


@functools.cache
def torch_trains_in_bfloat16(architecture: str, device: torch.device) -> bool:
    """Whether torch can train an architecture in bfloat16 on a device.

    oneDNN cannot on CPUs without AVX-512, cuDNN not before version 9.13.
    """
    config = ModelConfig(architecture=architecture, embedding_size=8, hidden_size=8)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config, 8)
    if not model.has_bfloat16 or device.type not in ("cpu", "cuda"):
        return False
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return False
    try:
        model = model.to(device)
        with torch.autocast(device.type, torch.bfloat16):
            logits, _ = model(torch.zeros(2, 2, dtype=torch.int64, device=device))
            logits.sum().backward()
    except RuntimeError:
        return False
    return True
