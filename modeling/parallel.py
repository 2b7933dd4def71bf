"""Training on several devices at once: every process trains its share of the streams.

The gradients of all processes are summed before each update, so that all weights stay equal and the
result is that of one process with the whole batch, but for the order of the sums. What one process
must decide for all (the clock, when to save) is the first one's to say.

Shapes: B streams in all, b of this process, L layers, H hidden.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

import torch
from torch import Tensor, distributed

from modeling.batches import Batch


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

    def part(self, batch: Batch) -> Batch:
        """This process's streams of a batch; `characters` stays that of all."""
        if self.size == 1:
            return batch
        rows = self.rows(len(batch.ids))
        return replace(
            batch, ids=batch.ids[rows], targets=batch.targets[rows], carried=batch.carried[rows]
        )

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Replace every tensor by its sum over all processes: the dense ones in one message."""
        if self.size == 1:
            return
        found = list(tensors)
        dense = [tensor for tensor in found if not tensor.is_sparse]
        flat = torch.cat([tensor.flatten() for tensor in dense])
        distributed.all_reduce(flat)
        for tensor, part in zip(dense, flat.split([t.numel() for t in dense]), strict=True):
            tensor.copy_(part.view_as(tensor))
        for tensor in found:
            if tensor.is_sparse:
                summed = tensor.coalesce()
                distributed.all_reduce(summed)
                tensor.copy_(summed)

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
