"""Which runs may start a process now, which wait, and which are joined to another one.

Runs are considered in the order in which they were due. A run that needs no device never waits for
one that does. All limits of `charmill serve` are here, except the number of trainings on a device,
which is a limit of Prefect's that the user may change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

PREPARING = 2
"""Runs at the same time that may later train, and are fetching and building their corpus now."""
PASSING = 3
"""Runs at the same time that do not train: plans, single other stages, gc, polls."""
Training = Literal["", "waiting", "holding", "done"]
"""How far a run has come: not yet at its training; waits for the device; trains; trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A run, as far as its turn depends on it.

    Attributes:
        due: when it was due first, and when it was created.
        work: the same for two runs that do the same; its deployment and parameters.
        dataset: the dataset that it may train a model of; None if it trains nothing.
        parent: the run that waits for the end of this one.
        scheduled: whether a schedule has made it.
    """

    id: UUID
    name: str
    due: tuple[datetime, datetime]
    work: str
    dataset: str | None = None
    training: Training = ""
    parent: str | None = None
    scheduled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The limit of trainings on a device, and how many of its slots are taken."""

    name: str
    slots: int
    taken: int


@dataclass(slots=True)
class Turns:
    """What to do with the runs that are due.

    Attributes:
        start: runs that get a process now, in order.
        hold: those that wait, by id, with the reason.
        join: those that are ended, by id, with the waiting run that does the same.
    """

    start: list[UUID] = field(default_factory=list)
    hold: dict[UUID, str] = field(default_factory=dict)
    join: dict[UUID, Candidate] = field(default_factory=dict)


def take_turns(
    queue: Iterable[Candidate], active: Sequence[Candidate], device: Device, leaving: int = 0
) -> Turns:
    """Decide about every run in the queue.

    Args:
        queue: runs that are due or waiting.
        active: runs that have a process.
        leaving: number of processes that are about to end, because their run has ended or waits.
    """
    ordered = sorted(queue, key=lambda run: (*run.due, run.id))
    hall = _Hall(active, device, leaving)
    parents = {run.parent for run in (*ordered, *active)}
    turns = Turns()
    queued: dict[str, Candidate] = {}
    for run in ordered:
        # What a schedule missed while nothing ran is made up for once.
        before = queued.setdefault(run.work, run) if run.scheduled else run
        if str(run.id) in parents:
            turns.hold[run.id] = "waiting for the runs that it started"
        elif before is not run:
            turns.join[run.id] = before
        elif same := hall.waiting.get(run.work):
            turns.join[run.id] = same
        elif reason := hall.refuse(run):
            turns.hold[run.id] = reason
        else:
            turns.start.append(run.id)
    return turns


class _Hall:
    """What is occupied, while the queue is worked through."""

    def __init__(self, active: Sequence[Candidate], device: Device, leaving: int) -> None:
        trainers = [run for run in active if run.training in ("waiting", "holding")]
        # A run that was called has not taken its slot yet; a killed one may still hold one.
        self._free = device.slots - max(device.taken, len(trainers))
        preparing = sum(1 for run in active if run.dataset and not run.training)
        self._preparing = preparing + leaving
        self._passing = sum(1 for run in active if not run.dataset)
        self._datasets = {run.dataset: run for run in active if run.dataset}
        self._device = device
        self.waiting: dict[str, Candidate] = {}
        """Runs that may train and wait, by what they do."""

    def refuse(self, run: Candidate) -> str:
        """Why the run must wait; empty if it may start, which is then accounted for."""
        if run.dataset is None:
            if self._passing >= PASSING:
                return f"waiting: {PASSING} other runs that need no device are running"
            self._passing += 1
            return ""
        reason = self._refuse_training(run.dataset, run)
        self._datasets.setdefault(run.dataset, run)
        if reason:
            self.waiting[run.work] = run
        return reason

    def _refuse_training(self, dataset: str, run: Candidate) -> str:
        if before := self._datasets.get(dataset):
            return f"waiting for the run {before.name} of the same dataset"
        if run.training == "waiting":
            if self._free <= 0:
                return f"waiting for a slot of {self._device.name}"
            self._free -= 1
        else:
            if self._preparing >= PREPARING:
                return f"waiting: {PREPARING} other runs are preparing their corpus"
            self._preparing += 1
        return ""
