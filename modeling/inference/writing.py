"""Writing characters one by one with torch: a draw, a step of the model, the next draw.

One turn (one character) takes about thirty torch calls on small tensors. On CUDA they are recorded
once as a graph, and one call replays them. Therefore everything that a turn reads and writes,
including the position within the block, is in buffers that are allocated once and changed in place,
and nothing in a turn waits for the device: ids are fetched once per block.

Shapes: B streams, K characters per block, V ids.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from modeling.models.model import Stepper
from modeling.vocab import MARK_ID, Ids

Narrow = Callable[[Tensor], Tensor]
"""A function that sets the logits (B, V) of characters that must not follow to -inf."""
Turn = Callable[[], None]
Capture = Callable[[Turn, torch.device], Turn]
"""A function that returns how to repeat a turn; it may run the turn while recording it."""

LONG_RUN = 3
"""The same character this many times is a long run; the kernel knows the number too."""
_WARM_UP = 3
"""Turns before the recording, in which libraries create their handles and workspaces."""


def captured(turn: Turn, device: torch.device) -> Turn:
    """Record a turn as a CUDA graph; on other devices return it unchanged."""
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
        # The first recording in a process creates tensors for the state of torch's generator. If
        # created in inference mode, they would make every later recording outside of it fail.
        with torch.inference_mode(mode=False), torch.cuda.graph(graph, stream=stream):
            turn()
    return graph.replay


class Writer:
    """Writes blocks of characters."""

    @torch.inference_mode()
    def __init__(
        self,
        stepper: Stepper,
        prompt: Ids,
        room: Tensor,
        *,
        narrow: Narrow | None = None,
        max_run: int | None = None,
        temperature: float = 1.0,
        capture: Capture = captured,
    ) -> None:
        """Read a prompt.

        Args:
            stepper: of B streams; owned by the writer from now on.
            prompt: beginning of all streams, the first id is MARK_ID.
            room: memory for the noise of a block, (K, B, V) float32 on the device; overwritten.
            narrow: applied to the logits.
            max_run: longest run of one character.
            temperature: of the noise, if it is below 1 and must not sharpen long runs; otherwise 1.
            capture: how to repeat a turn.
        """
        assert prompt[0] == MARK_ID
        length, streams, size = room.shape
        self._stepper, self._narrow = stepper, narrow
        self._guard = None
        if max_run or temperature < 1:
            self._guard = _RunGuard(max_run, temperature, streams, room.device)
        self._noise = room.zero_()
        self._logits = room.new_zeros(streams, size)
        self._last = room.new_zeros(streams, dtype=torch.int64)
        self._ids = room.new_zeros((length, streams), dtype=torch.int64)
        self._place = room.new_zeros(1, dtype=torch.int64)
        self._repeat = capture(self._turn, room.device)
        # Undo what the capture wrote; the mark at the start of the prompt resets the stepper.
        if self._guard:
            self._guard.reset()
        for character in prompt:
            self._last.fill_(int(character))
            self._logits.copy_(stepper.step(self._last))

    @torch.inference_mode()
    def write(self, noise: Tensor) -> Tensor:
        """Write the next block, each character the id with the largest sum of logit and noise.

        Args:
            noise: (B, K, V) float32, with K at most that of `room`.

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
        # Warm-up turns may outnumber the positions of a block, so the position is clamped.
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
    """Lowers the logit of a character whose run is long; to -inf if it is as long as allowed."""

    def __init__(
        self, max_run: int | None, temperature: float, streams: int, device: torch.device
    ) -> None:
        self._max_run = max_run
        self._temperature = temperature
        self._before = torch.full((streams,), -1, device=device)
        self._runs = torch.zeros_like(self._before)

    def reset(self) -> None:
        """Start with empty runs."""
        self._before.fill_(-1)
        self._runs.zero_()

    def narrowed(self, logits: Tensor, last: Tensor) -> Tensor:
        """Narrow logits (B, V), given the characters just written, (B,)."""
        self._runs.mul_(last == self._before).add_(1)
        self._before.copy_(last)
        if self._temperature < 1:
            is_long = (self._runs >= LONG_RUN).unsqueeze(1)
            logits = torch.where(is_long, unsharpened(logits, last, self._temperature), logits)
        if self._max_run is None:
            return logits
        full = (self._runs >= self._max_run).unsqueeze(1)
        barred = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, last.unsqueeze(1), full)
        return logits.masked_fill(barred, -math.inf)


def unsharpened(logits: Tensor, ids: Tensor, temperature: float) -> Tensor:
    """Lower the logit of one id of each stream, so that a temperature below 1 does not sharpen it.

    Args:
        logits: (B, V).
        ids: (B,) int64.
        temperature: by which all logits will be divided.

    Returns:
        Logits (B, V) with which each id has no larger probability than at temperature 1. The others
        share the rest in the proportions of the temperature.
    """
    places = ids.unsqueeze(1)
    others = logits.scatter(1, places, -math.inf)
    own, rest = logits.gather(1, places), others.logsumexp(dim=1, keepdim=True)
    sharpened = (others / temperature).logsumexp(dim=1, keepdim=True)
    return logits.scatter(1, places, own.minimum(temperature * (own - rest + sharpened)))
