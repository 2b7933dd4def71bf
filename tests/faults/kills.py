"""Processes that end, stop or lose their parent at random moments of every stage.

A round begins with the results of the earlier stages, disturbs one stage several times, and lets it
finish. After every fault the store must be sound; at the end the stage must have published what an
undisturbed run publishes, and nothing may be left over: no process, lock or temporary file.
"""

import functools
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from flows.options import STAGE_NAMES, StageName
from flows.stages.signals import end_with_parent, end_within
from flows.store.runs import Store
from tests.faults.children import (
    STOP_SECONDS,
    Child,
    assert_none_left,
    end_all,
    fork,
    living,
)
from tests.faults.dataset import DATASET, Dataset, Kind, dataset
from tests.faults.store import Digests, check, check_nothing_left, check_same, known_digests
from tests.faults.table import Fault, LostError
from tests.processes import until

MOST_KILLS = 5
"""Of one stage; an unlucky round would otherwise kill for ever a stage that cannot resume."""
GRACE_SECONDS = 6
"""What a run under Prefect has for its checkpoint."""
STEPS: tuple[tuple[Kind, StageName], ...] = (
    *(("git", "fetch"), ("url", "fetch"), ("git", "corpus")),
    *(("folder", "train"), ("folder", "sample"), ("folder", "evaluate")),
)


@dataclass(kw_only=True)
class Scene:
    """One stage that is to be disturbed, and the store that must survive it.

    Attributes:
        known: digests of the finished runs seen so far.
        others: processes that may run on.
    """

    data: Dataset
    stage: StageName
    folder: Path
    others: set[int]
    known: dict[str, Digests] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def store(self) -> Store:
        return Store(self.artifacts)

    def start(self, at: int = 0) -> Child:
        """Execute the stage in a child, which dies before the `at`-th change of a file."""
        return fork(self.make, folder=self.folder, kill_at=at)

    def make(self) -> str:
        """Execute the stage in this process."""
        return self.data.make(self.stage, self.artifacts)

    def moment(self, random: Random) -> float:
        """Seconds from the start to somewhere in the stage, or soon after its end."""
        return random.uniform(0, 1.2 * self.data.seconds[self.stage])

    def check(self) -> None:
        """Fail unless no process is left and the store is sound."""
        assert_none_left(self.others)
        check(self.store, DATASET, self.known)

    def check_finished(self) -> None:
        """Finish the stage; fail unless it is as if nothing had happened."""
        self.start().ends_well()
        self.check()
        key = self.data.keys[self.stage]
        reference = Store(self.data.reference).runs(self.stage, DATASET).run(key)
        check_same(self.store.runs(self.stage, DATASET).run(key), reference)
        if (last := self.store.runs(self.stage, DATASET).last().key) != key:
            raise LostError(f"{self.stage}: the last run is {last} instead of {key}")
        check_nothing_left(self.store, DATASET, self.folder / "tmp")


@contextmanager
def scene(kind: Kind, stage: StageName) -> Iterator[Scene]:
    """A stage whose inputs are finished; no process of it outlives the block."""
    data = dataset(kind)
    data.finish(stage)
    others = living(set())
    with tempfile.TemporaryDirectory(prefix="round-") as name:
        made = Scene(data=data, stage=stage, folder=Path(name), others=others)
        data.copy_before(stage, made.artifacts)
        made.known = known_digests(made.store, DATASET)
        try:
            yield made
        finally:
            end_all(others)


def _kill(kind: Kind, stage: StageName, random: Random) -> int:
    """kill -9, at a random moment or before a random change of a file, until the stage finishes."""
    kills = 0
    with scene(kind, stage) as disturbed:
        while kills < MOST_KILLS:
            if random.random() < 0.5:
                child = disturbed.start(random.randint(1, disturbed.data.operations[stage]))
            else:
                child = disturbed.start()
                time.sleep(disturbed.moment(random))
                child.send(signal.SIGKILL)
            if not child.ends_or_dies():
                break
            kills += 1
            disturbed.check()
        disturbed.check_finished()
    return kills


def _terminate(kind: Kind, stage: StageName, random: Random) -> int:
    """SIGTERM: the process ends soon, a training with a checkpoint."""
    signals = random.randint(1, 3)
    with scene(kind, stage) as disturbed:
        for _ in range(signals):
            child = disturbed.start()
            time.sleep(disturbed.moment(random))
            child.send(signal.SIGTERM)
            child.ends_or_dies(STOP_SECONDS)
            disturbed.check()
        disturbed.check_finished()
    return signals


def _stop(kind: Kind, stage: StageName, random: Random) -> int:
    """SIGSTOP: a second process of the same stage waits, and takes over if the first is killed."""
    with scene(kind, stage) as disturbed:
        stopped = disturbed.start()
        time.sleep(disturbed.moment(random))
        stopped.send(signal.SIGSTOP)
        second = disturbed.start()
        time.sleep(random.uniform(0, disturbed.data.seconds[stage]))
        check(disturbed.store, DATASET, disturbed.known)
        stopped.send(random.choice((signal.SIGCONT, signal.SIGKILL)))
        stopped.ends_or_dies()
        second.ends_well()
        disturbed.check_finished()
    return 1


def _orphan(kind: Kind, stage: StageName, random: Random) -> int:
    """The parent is killed: a run that Prefect started ends with its runner."""
    with scene(kind, stage) as disturbed:
        ready = disturbed.folder / "ready"

        def run() -> str:
            end_within(GRACE_SECONDS)
            end_with_parent()
            ready.touch()
            return disturbed.make()

        def parent() -> str:
            (disturbed.folder / "child").mkdir()
            fork(run, folder=disturbed.folder / "child")
            while True:
                signal.pause()

        runner = fork(parent, folder=disturbed.folder)
        until(ready.exists)
        time.sleep(disturbed.moment(random))
        runner.send(signal.SIGKILL)
        runner.ends_or_dies()
        disturbed.check()
        disturbed.check_finished()
    return 1


def _whole_run(random: Random) -> int:
    """kill -9 anywhere in a run of all stages, until it has finished."""
    kills = 0
    dataset("folder").finish("evaluate")
    with scene("folder", "fetch") as disturbed:
        data, artifacts = disturbed.data, disturbed.artifacts

        def make_all() -> str:
            return " ".join(data.make(stage, artifacts) for stage in STAGE_NAMES)

        finished = False
        while not finished:
            child = fork(make_all, folder=disturbed.folder)
            if kills < MOST_KILLS:
                # A third: the usual times were measured with other load, and later attempts resume.
                time.sleep(random.uniform(0, sum(data.seconds.values()) / 3))
                child.send(signal.SIGKILL)
            finished = not child.ends_or_dies()
            kills += not finished
            disturbed.check()
        for stage in STAGE_NAMES:
            disturbed.stage = stage
            disturbed.check_finished()
    return kills


def _faults(name: str, run: Callable[..., int], *, rounds: int, all_short: bool) -> Iterator[Fault]:
    for kind, stage in STEPS:
        place = f"fetch from {kind}" if stage == "fetch" else stage
        yield Fault(
            name=f"{name}, {place}",
            rounds=rounds // 2 if stage == "evaluate" else rounds,
            short_rounds=int(all_short or stage == "train"),
            run=functools.partial(run, kind, stage),
        )


FAULTS = [
    *_faults("kill -9", _kill, rounds=36, all_short=True),
    *_faults("SIGTERM", _terminate, rounds=6, all_short=False),
    *_faults("SIGSTOP", _stop, rounds=6, all_short=False),
    *_faults("parent killed", _orphan, rounds=6, all_short=False),
    Fault(name="kill -9, whole run", rounds=10, short_rounds=0, run=_whole_run),
]
