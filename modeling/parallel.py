"""Training on several devices at once: every process trains its share of the streams.

Before each update every process gets the mean of all gradients, from torch's
DistributedDataParallel while they are computed, so that all weights stay equal and the result is
that of one process with the whole batch, but for the order of the sums. What one process must
decide for all (the clock, when to save) is the first one's to say.

Shapes: B streams in all, b of this process, L layers, H hidden, R rows of a table, E embedding.
"""

import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import NoReturn

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

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

    def joint(self, objective: nn.Module, apart: Collection[nn.Parameter]) -> nn.Module:
        """The same function, whose gradients are the means over all processes.

        Args:
            objective: what every process calls on its streams and goes back through.
            apart: parameters whose gradients are left as they are.
        """
        if self.size == 1:
            return objective
        ignored = [
            name
            for name, weight in objective.named_parameters()
            if any(weight is one for one in apart)
        ]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(objective, ignored)
        return DistributedDataParallel(objective, broadcast_buffers=False)

    def sum(self, tensor: Tensor) -> None:
        """Replace a dense tensor by its sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)

    def mean_rows(self, gradient: Tensor) -> Tensor:
        """The mean over all processes of a sparse tensor (R, E), which NCCL does not reduce."""
        if self.size == 1:
            return gradient
        own = gradient.coalesce()
        rows, values = own.indices()[0], own.values()
        counts = torch.tensor([len(rows)], device=rows.device)
        lengths = [int(count) for count in self._from_all(counts)]
        more = max(lengths) - len(rows)
        parts = [
            [part[:length] for part, length in zip(self._from_all(padded), lengths, strict=True)]
            for padded in (functional.pad(rows, (0, more)), functional.pad(values, (0, 0, 0, more)))
        ]
        found, summands = map(torch.cat, parts)
        return torch.sparse_coo_tensor(found[None], summands / self.size, gradient.shape)

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
