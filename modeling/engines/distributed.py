"""Training on several devices: every process trains its share of the streams.

torch's DistributedDataParallel averages the gradients of all processes before each update, so all
weights stay equal, and the result is that of one process with the whole batch, except for the order
of the sums. The first process makes the decisions that all must share (the clock, when to save).

Shapes: B streams in all, b of this process, L layers, H hidden, M sums of N rows of a table, E
embedding.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from modeling.errors import TextError


@dataclass(frozen=True, slots=True)
class Group:
    """This process among those that train together; by default it trains alone."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> "Group":
        """The group that `torchrun` started this process in."""
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process decides and writes for all."""
        return self.rank == 0

    def describe(self, device: str) -> str:
        """Name all devices, of which this process has one."""
        return device if self.size == 1 else f"{self.size} x {device}"

    def check(self, streams: int) -> None:
        """Check that every process has a stream to train.

        Raises:
            TextError: there are fewer streams than the processes need.
        """
        if streams < self.size or (self.size - 1) * -(-streams // self.size) >= streams:
            raise TextError(
                f"batch_size {streams} leaves some of {self.size} processes without a stream; "
                f"use a multiple of {self.size}"
            )

    def rows(self, streams: int) -> slice:
        """The streams of this process."""
        share = -(-streams // self.size)
        return slice(min(self.rank * share, streams), min((self.rank + 1) * share, streams))

    def joint(self, objective: nn.Module) -> nn.Module:
        """Wrap a loss so that its gradients are the means over all processes.

        Args:
            objective: called and differentiated by every process on its own streams.
        """
        if self.size == 1:
            return objective
        return DistributedDataParallel(objective, broadcast_buffers=False)

    def sum(self, tensor: Tensor) -> None:
        """Replace a dense tensor by its sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)

    def all_places(self, places: Tensor, gradient: Tensor, streams: int) -> tuple[Tensor, Tensor]:
        """Collect the gradients of a table from all processes.

        Args:
            places: rows, as `NgramEmbedding.gradient` returns them for this process, (M, N).
            gradient: of the sums of these rows, (M, E).
            streams: B.

        Returns:
            Both for all streams; the gradient is that of the mean over all processes.
        """
        if self.size == 1:
            return places, gradient
        own, whole = self.rows(streams), -(-streams // self.size)
        # The last process may have fewer streams: pad with row 0 and a gradient of 0.
        more = len(places) // (own.stop - own.start) * whole - len(places)
        places, gradient = (
            torch.cat(self._from_all(functional.pad(part, (0, 0, 0, more))))
            for part in (places, gradient)
        )
        return places, gradient / self.size

    def _from_all(self, tensor: Tensor) -> list[Tensor]:
        """Every process's tensor of this shape."""
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        distributed.all_gather(parts, tensor)
        return parts

    def gathered(self, state: Tensor, streams: int) -> Tensor:
        """The recurrent state of all streams, (L, B, H), from every process's (L, b, H)."""
        if self.size == 1:
            return state
        whole = state.new_zeros(state.shape[0], streams, state.shape[2])
        whole[:, self.rows(streams)] = state
        distributed.all_reduce(whole)
        return whole

    def agreed(self, value: float) -> float:
        """Return the first process's value in all processes."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, 0)
        return float(shared)

    def shared(self, clock: Callable[[], float]) -> Callable[[], float]:
        """The first process's clock; all processes must read it equally often."""
        return clock if self.size == 1 else lambda: self.agreed(clock())


def leave(status: int) -> NoReturn:
    """Leave the group that `torchrun` started this process in, and exit.

    All files must have been written: the interpreter is not shut down, because a gloo thread that
    still holds a tensor occasionally aborts the process then (pytorch/pytorch#179291).
    """
    distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


ALONE = Group()
