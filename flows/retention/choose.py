"""Decide which finished runs can go, and why each of the others is kept; removes nothing."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from flows.retention.limits import Limits
from flows.retention.needs import Holdings, survey
from flows.store.leftovers import leftovers
from flows.store.protection import GRACE, is_pinned
from flows.store.runs import StageRun, Store
from system.clock import duration

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What happens to one run.

    Attributes:
        why: the reason for which it is kept, or can go.
        bytes: size of its files.
        used: when it was made or last reused.
        needs: the runs that it needs.
    """

    run: StageRun
    why: str
    bytes: int
    used: datetime
    needs: frozenset[StageRun]

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return {
            "stage": self.run.runs.stage,
            "dataset": self.run.runs.dataset,
            "key": self.run.key,
            "why": self.why,
            "bytes": self.bytes,
            "used": self.used.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The finished runs of the chosen datasets, and other folders that can go.

    Attributes:
        goes: runs to remove, each before those that it needs.
        leftovers: folders of interrupted and damaged runs.
    """

    goes: tuple[Verdict, ...]
    kept: tuple[Verdict, ...]
    leftovers: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Size of all that goes."""
        return sum(one.bytes for one in self.goes) + sum(map(size, self.leftovers))


def choose(
    store: Store,
    limits: Limits,
    now: datetime,
    *,
    tomls: Mapping[str, Path],
    datasets: Sequence[str] = (),
) -> Choice:
    """Decide about every finished run.

    Args:
        tomls: dataset to TOML, of all datasets.
        datasets: names of the datasets to clean; all if empty.

    Raises:
        OptionError: if a limit is malformed.
    """
    chooser = _Chooser(survey(store, tomls), limits, now, set(datasets or store.datasets()))
    goes, kept = chooser.decide()
    folders = [
        folder
        for dataset in store.datasets()
        if dataset in chooser.datasets
        for runs in store.stages(dataset)
        for folder in leftovers(runs, now)
    ]
    return Choice(goes=tuple(goes), kept=tuple(kept), leftovers=tuple(folders))


def size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)


class _Chooser:
    """Marks what must be kept, then what limits keep; the rest goes."""

    def __init__(self, found: Holdings, limits: Limits, now: datetime, datasets: set[str]) -> None:
        self.found = found
        self.limits = limits
        self.now = now
        self.datasets = datasets
        self.why: dict[StageRun, str] = {}
        self.size = cache(size)

    def decide(self) -> tuple[list[Verdict], list[Verdict]]:
        """The runs that go, dependants first, and those that are kept."""
        age, max_bytes = self.limits.age, self.limits.max_bytes
        for run, reason in self._protected():
            self._keep(run, reason)
        protected = set(self.why)
        for run, used in self.found.used.items():
            if self.now - used < age:
                self._keep(run, f"{self._ago(run)}; --older-than is {self.limits.older_than}")
        if max_bytes is not None:
            self._shrink(protected, max_bytes)
        mine = [run for run in self.found.needs if run.runs.dataset in self.datasets]
        goes = [self._verdict(run, self._ago(run)) for run in mine if run not in self.why]
        kept = [self._verdict(run, self.why[run]) for run in mine if run in self.why]
        return self._dependants_first(goes), kept

    def _protected(self) -> Iterator[tuple[StageRun, str]]:
        """Runs that no limit removes, with the reason."""
        found = self.found
        yield from ((run, "outside the chosen datasets") for run in self._elsewhere())
        yield from ((run, f"cannot be judged: {why}") for run, why in found.unreadable.items())
        damaged = {run.runs.dataset: why for run, why in found.unreadable.items()}
        base = next((why for run, why in found.unreadable.items() if run.runs.stage == "train"), "")
        for run in found.needs:
            if why := damaged.get(run.runs.dataset):
                yield run, f"something of this dataset cannot be read: {why}"
            if base and run.runs.stage == "train":
                yield run, f"may be the model that another was made from: {base}"
            if run in found.latest:
                yield run, "latest"
            if is_pinned(run):
                yield run, "pinned"
        for holder in found.holders:
            yield from ((run, f"needed by {holder.what}") for run in holder.needs)
        yield from ((run, f"one of the {self.limits.keep_last} newest") for run in self._newest())
        for run, used in found.used.items():
            if self.now - used < GRACE:
                yield run, self._ago(run)

    def _elsewhere(self) -> Iterator[StageRun]:
        return (run for run in self.found.needs if run.runs.dataset not in self.datasets)

    def _newest(self) -> Iterator[StageRun]:
        """The last runs of every stage; they are in the order of age."""
        seen: Counter[tuple[str, str]] = Counter()
        for run in reversed(self.found.needs):
            stage = (run.runs.stage, run.runs.dataset)
            seen[stage] += 1
            if seen[stage] <= self.limits.keep_last:
                yield run

    def _keep(self, run: StageRun, reason: str) -> None:
        """Keep a run, and all that it needs directly or indirectly."""
        waiting = [(run, reason)]
        while waiting:
            one, why = waiting.pop()
            if one in self.why or one not in self.found.needs:
                continue
            self.why[one] = why
            needed = f"needed by {run.runs}, {run.key}: {reason}"
            waiting += [(need, needed) for need in self.found.needs[one]]

    def _shrink(self, protected: set[StageRun], max_bytes: int) -> None:
        """Give up runs that only their age keeps, the longest unused first, until all fits."""
        left = sum(self.size(run.folder) for run in self.why if run.runs.dataset in self.datasets)
        young = sorted(set(self.why) - protected, key=lambda run: (self.found.used[run], run.key))
        while left > max_bytes:
            needed = self._needed(self.why)
            free = next((run for run in young if run in self.why and run not in needed), None)
            if free is None:
                return
            del self.why[free]
            left -= self.size(free.folder)

    def _dependants_first(self, goes: list[Verdict]) -> list[Verdict]:
        """In the order in which a killed gc leaves no run without what it needs."""
        left = {one.run: one for one in goes}
        ordered: list[Verdict] = []
        while left:
            needed = self._needed(left)
            free = [run for run in left if run not in needed] or list(left)
            ordered += [left.pop(run) for run in free]
        return ordered

    def _needed(self, runs: Iterable[StageRun]) -> set[StageRun]:
        """What some of the runs need; a corpus may be frozen by a prefix of its own key."""
        return {need for run in runs for need in self.found.needs[run] if need != run}

    def _ago(self, run: StageRun) -> str:
        seconds = (self.now - self.found.used[run]).total_seconds()
        if seconds < 0:
            return "used in the future, so check the clock"
        days = int(seconds // DAY_SECONDS)
        if days >= 2:
            return f"unused for {days} days"
        return f"used {duration(seconds)} ago"

    def _verdict(self, run: StageRun, why: str) -> Verdict:
        return Verdict(
            run=run,
            why=why,
            bytes=self.size(run.folder),
            used=self.found.used[run],
            needs=self.found.needs[run],
        )
