"""The learning curve of a dataset's training: of the one in progress, or of the last one."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.store.integrity import verified
from flows.store.runs import StageRun, Store
from modeling.training.learning_curve import METRICS, read_lines, read_metrics
from modeling.training.progress import CurvePoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training and its learning curve so far.

    Attributes:
        is_running: whether a process is at work on it.
    """

    key: str
    points: Sequence[CurvePoint]
    is_running: bool

    @property
    def best_bits(self) -> float | None:
        """Fewest validation bits per character; None before the first validation."""
        found = [p.validation_bits for p in self.points if p.validation_bits is not None]
        return min(found, default=None)

    def shown(self, number: int) -> list[CurvePoint]:
        """About so many of the points, evenly spaced, with every validation and the last one."""
        step = len(self.points) // number + 1
        last = len(self.points) - 1
        return [
            point
            for place, point in enumerate(self.points)
            if place % step == 0 or place == last or point.validation_bits is not None
        ]


def training_of(store: Store, dataset: str) -> Training | None:
    """The training in progress, otherwise the last one; None if there was none.

    Raises:
        DamageError: if the last one is damaged.
    """
    runs = store.runs("train", dataset)
    if running := _running(runs.unfinished()):
        return Training(key=running.key, points=read_lines(running.work), is_running=True)
    if (last := runs.linked) is None:
        return None
    return Training(key=last.key, points=read_metrics(verified(last, METRICS)), is_running=False)


def _running(unfinished: Sequence[StageRun]) -> StageRun | None:
    """The training that a process is at work on; of several, the one that wrote last."""
    running = [run for run in unfinished if run.work.exists() and run.is_locked]
    return max(running, key=lambda run: run.work.stat().st_mtime, default=None)
