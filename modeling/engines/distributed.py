"""Training on several devices at once: every process trains its share of the streams.

Before each update every process gets the mean of all gradients, from torch's
DistributedDataParallel while they are computed, so that all weights stay equal and the result is
that of one process with the whole batch, but for the order of the sums. What one process must
decide for all (the clock, when to save) is the first one's to say.

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


@dataclass(frozen=True, slots=True)
class Group:
    """This process among those that train together; alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> "Group":
        """The group that `torchrun` started this process in."""
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def describe(self, device: str) -> str:
        """Name all devices, of which this process has one."""
        return device if self.size == 1 else f"{self.size} x {device}"

    def check(self, streams: int) -> None:
        """Refuse fewer streams than processes.

        Raises:
            ValueError: a process would have nothing to train.
        """
        if streams < self.size or (self.size - 1) * -(-streams // self.size) >= streams:
            raise ValueError(
                f"batch_size {streams} leaves some of {self.size} processes without a stream; "
                f"take a multiple of {self.size}"
            )

    def rows(self, streams: int) -> slice:
        """Which of all streams are this process's."""
        share = -(-streams // self.size)
        return slice(min(self.rank * share, streams), min((self.rank + 1) * share, streams))

    def joint(self, objective: nn.Module) -> nn.Module:
        """The same function, whose gradients are the means over all processes.

        Args:
            objective: what every process calls on its streams and goes back through.
        """
        if self.size == 1:
            return objective
        return DistributedDataParallel(objective, broadcast_buffers=False)

    def sum(self, tensor: Tensor) -> None:
        """Replace a dense tensor by its sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)

    def all_places(self, places: Tensor, gradient: Tensor, streams: int) -> tuple[Tensor, Tensor]:
        """What all processes have to teach a table.

        Args:
            places: as `NgramEmbedding.gradient` gives them for the chunk of this process, (M, N).
            gradient: the same, (M, E).
            streams: B.

        Returns:
            The same of all streams; the gradient is that of the mean over all processes.
        """
        if self.size == 1:
            return places, gradient
        own, whole = self.rows(streams), -(-streams // self.size)
        # The last process may have fewer streams: row 0 without a gradient stands for the others.
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
        """What the first process says."""
        if self.size == 1:
            return value
        said = torch.tensor([value], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            said = said.cuda()
        distributed.broadcast(said, 0)
        return float(said)

    def shared(self, clock: Callable[[], float]) -> Callable[[], float]:
        """The first process's clock; all must read it equally often."""
        return clock if self.size == 1 else lambda: self.agreed(clock())


def leave(status: int) -> NoReturn:
    """Leave the group that `torchrun` started this process in, and end the process.

    Everything must be on the disk: the interpreter is not torn down, because a thread of gloo that
    still holds a tensor then aborts the process now and then (pytorch/pytorch#179291).
    """
    distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


ALONE = Group()
