"""What computes a training, and in which precision: chosen by measuring, not by processor flags.

Two processors with the same instructions differ: products of bfloat16 double the speed of AMD's
Zen 5 and cost an Intel Sapphire Rapids 40 %. So every training that may choose runs a short race
first (`race.py`); this module holds its outcome, and the rules by which a race is judged.

A choice decides the bits of a training's weights, so checkpoints remember it.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from modeling.models.lstm import Layer
from modeling.native.library import library

_ROUNDS = 4
_MARGIN = 1.03
"""How much faster a candidate must be than one listed before it: less is noise."""
_HOPELESS = 2.0
"""A candidate this many times slower than the fastest in the first round is not measured again."""
_FEWER_THREADS = 1.3
"""How much faster fewer threads must be: what slows more of them down may be a busy moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How a training computes.

    Attributes:
        native: by the native kernel; otherwise by torch.
        precision: of the factors of matrix products; sums are float32.
        threads: of the CPU; 0 for torch's own number.
        wide_tiles: of the kernel's matrix products; no bit of a result depends on it.
        reason: why this one, for people.
    """

    native: bool
    precision: Literal["float32", "bfloat16"]
    threads: int = 0
    wide_tiles: bool = False
    reason: str = ""

    def __str__(self) -> str:
        """Name it for people."""
        return f"{'native kernel' if self.native else 'torch'}, {self.precision}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let torch and the kernel use these threads and tiles while the block runs."""
        kernel, before = library(), torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        if kernel:
            kernel.use_wide_tiles(self.wide_tiles)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            if kernel:
                kernel.use_wide_tiles(False)


def measured(
    candidates: Sequence[Engine], seconds_of: Callable[[Engine], float], budget: float
) -> dict[Engine, float]:
    """Run the candidates in turn; the fewest seconds of each.

    Args:
        candidates: at least one.
        seconds_of: does the same work by a candidate and says how long it took.
        budget: seconds after which no further round begins; there are `_ROUNDS` at most, and those
            far behind after the first one are left out of the others.
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
    """The fastest, in doubt the one listed earlier."""
    first, *others = seconds
    for other in others:
        first = other if seconds[other] * _MARGIN < seconds[first] else first
    return first


def enough_threads(seconds: Mapping[int, float]) -> int:
    """Of numbers of threads and what they took, the largest unless fewer are clearly faster."""
    limit = _FEWER_THREADS * min(seconds.values())
    return max(number for number, taken in seconds.items() if taken <= limit)


def reason_of(chosen: Engine, seconds: Mapping[Engine, float]) -> str:
    """Say what was measured: "fastest of 3: torch, float32 1.42 x its time, ..."."""
    others = [
        f"{other} took {taken / seconds[chosen]:.2f} times as long"
        for other, taken in seconds.items()
        if other != chosen
    ]
    return "measured: " + "; ".join(others) if others else "the only one here"


@functools.cache
def torch_computes_bfloat16(device: torch.device) -> bool:
    """Whether torch trains a layer in bfloat16.

    oneDNN refuses to on CPUs without AVX-512, and cuDNN before 9.13.
    """
    if device.type not in ("cpu", "cuda"):
        return False
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return False
    with torch.random.fork_rng(devices=[]):
        layer = Layer(8, 8)
    try:
        layer = layer.to(device)
        values, state = (torch.zeros(size, 2, 8, device=device) for size in (2, 1))
        with torch.autocast(device.type, torch.bfloat16):
            layer(values, (state, state))[0].sum().backward()
    except RuntimeError:
        return False
    return True
