"""Characters written one after another by torch: a draw, a step of the model, the next draw.

That is some thirty calls of torch on small tensors for one character. On CUDA they are recorded
once, as a graph, and one call replays them. So everything that a turn reads and writes lives in
buffers that are made once and changed in place, the place within the block included, and nothing
in it waits for the device: ids leave once a block.

Shapes: B streams, K characters a block, V ids.
"""

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from modeling.vocab import MARK_ID, Ids

Narrow = Callable[[Tensor], Tensor]
"""From logits (B, V) to logits with what may not come at -inf."""
Turn = Callable[[], None]
Capture = Callable[[Turn, torch.device], Turn]
"""From a turn to what repeats it; may run the turn meanwhile."""

_WARM_UP = 3
"""Turns before the recording: libraries make their handles and workspaces in the first."""


class Stepper(Protocol):
    """Reads B streams one character at a time."""

    def step(self, ids: Tensor) -> Tensor:
        """Read ids (B,) int64, a mark from zero state; logits of the next, (B, V) float32."""
        ...


def captured(turn: Turn, device: torch.device) -> Turn:
    """Record a turn as a CUDA graph; on other devices it is repeated as it stands."""
    if device.type != "cuda":
        return turn
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                turn()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # The first recording in a process makes tensors for the state of torch's generator. Made in
        # inference mode they would make every later recording outside of it fail.
        with torch.inference_mode(mode=False), torch.cuda.graph(graph, stream=stream):
            turn()
    return graph.replay


class Writer:
    """Draws blocks of characters."""

    @torch.inference_mode()
    def __init__(
        self,
        stepper: Stepper,
        prompt: Ids,
        room: Tensor,
        *,
        narrow: Narrow | None = None,
        max_run: int | None = None,
        capture: Capture = captured,
    ) -> None:
        """Read a prompt.

        Args:
            stepper: of B streams; belongs to the writer from now on.
            prompt: ids that all streams begin with, the first of them MARK_ID.
            room: for the noise of a block, (K, B, V) float32 on the device; is written to.
            narrow: applied to the logits.
            max_run: no character is written more often than this in a row.
            capture: how a turn is repeated.
        """
        assert prompt[0] == MARK_ID
        length, streams, size = room.shape
        self._stepper, self._narrow = stepper, narrow
        self._guard = _RunGuard(max_run, streams, room.device) if max_run else None
        self._noise = room.zero_()
        self._logits = room.new_zeros(streams, size)
        self._last = room.new_zeros(streams, dtype=torch.int64)
        self._ids = room.new_zeros((length, streams), dtype=torch.int64)
        self._place = room.new_zeros(1, dtype=torch.int64)
        self._repeat = capture(self._turn, room.device)
        # What the capture wrote is forgotten here; the stepper's state the mark sets to zero.
        if self._guard:
            self._guard.reset()
        for character in prompt:
            self._last.fill_(int(character))
            self._logits.copy_(stepper.step(self._last))

    @torch.inference_mode()
    def write(self, noise: Tensor) -> Tensor:
        """Write the next block, each character the id with the largest sum of logit and noise.

        Args:
            noise: (B, K, V) float32, K at most that of the room.

        Returns:
            Ids (B, K) int64, overwritten by the next call.
        """
        steps = noise.shape[1]
        self._noise[:steps].copy_(noise.transpose(0, 1))
        self._place.zero_()
        for _ in range(steps):
            self._repeat()
        return self._ids[:steps].t()

    @torch.inference_mode()
    def _turn(self) -> None:
        # A recording of more turns than the room has places must stay inside it.
        place = self._place.clamp(max=len(self._ids) - 1)
        scores = self._logits
        if self._guard:
            scores = self._guard.narrowed(scores, self._last)
        if self._narrow:
            scores = self._narrow(scores)
        noise = self._noise.index_select(0, place).squeeze(0)
        torch.argmax(scores + noise, dim=1, out=self._last)
        self._ids.index_copy_(0, place, self._last.unsqueeze(0))
        self._place += 1
        self._logits.copy_(self._stepper.step(self._last))


class _RunGuard:
    """Puts the logits of characters that stand often enough in a row to -inf."""

    def __init__(self, max_run: int, streams: int, device: torch.device) -> None:
        self._max_run = max_run
        self._before = torch.full((streams,), -1, device=device)
        self._runs = torch.zeros_like(self._before)

    def reset(self) -> None:
        """Forget what was written."""
        self._before.fill_(-1)
        self._runs.zero_()

    def narrowed(self, logits: Tensor, last: Tensor) -> Tensor:
        """Logits (B, V) given the characters just written, (B,)."""
        self._runs.mul_(last == self._before).add_(1)
        self._before.copy_(last)
        full = (self._runs >= self._max_run).unsqueeze(1)
        barred = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, last.unsqueeze(1), full)
        return logits.masked_fill(barred, -math.inf)
