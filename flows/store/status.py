"""The state of every stage of a dataset: last run, unfinished runs, why the last attempt failed.

The reason for a failure is stored next to the runs of its stage until the next success, when
`StageRun.make_latest` removes it. It also covers failures before a work folder exists, such as a
source that did not answer.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.errors import DamageError, StageError
from flows.options import StageName
from flows.store.integrity import damage, faults
from flows.store.manifest import Manifest
from flows.store.runs import LATEST, StageRuns, Store
from system.clock import minute, now_stamp
from system.display import shown
from system.errors import CharmillError
from system.files import make_folder, read_file, write_whole

logger = logging.getLogger(__name__)
MAX_CHARACTERS = 500
REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt that failed.

    Attributes:
        when: ISO 8601 with offset.
        reason: one line.
    """

    stage: StageName
    when: str
    reason: str

    @property
    def summary(self) -> str:
        """The failure in one line."""
        return f"{self.stage} failed {minute(self.when)}: {self.reason}"


@contextmanager
def recording_failure(runs: StageRuns) -> Iterator[None]:
    """Record the reason if the block fails; Ctrl-C and cancellation are not failures."""
    try:
        yield
    except Exception as error:
        record_failure(runs, error)
        raise


def record_failure(runs: StageRuns, error: Exception) -> None:
    """Record why an attempt failed. If that fails too, the original error matters more."""
    kind = "" if isinstance(error, CharmillError) else f"{type(error).__name__}: "
    words = shown(f"{kind}{error}")
    failure = Failure(
        stage=runs.stage,
        when=now_stamp(),
        reason=words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} ...",
    )
    path = runs.failure_record
    try:
        make_folder(path.parent)
        write_whole(path, f"{json.dumps(asdict(failure), indent=1)}\n".encode())
    except OSError as problem:
        logger.warning("%s: the reason for the failure could not be recorded: %s", path, problem)


def failures(store: Store, dataset: str) -> list[Failure]:
    """The failures of a dataset that no success has followed, in the order of the stages.

    Raises:
        StageError: if a record is damaged; names the file.
    """
    return [failure for runs in store.stages(dataset) if (failure := load_failure(runs))]


def load_failure(runs: StageRuns) -> Failure | None:
    """Why the last attempt at a stage failed; None if it did not.

    Raises:
        StageError: if the record is damaged; names the file.
    """
    path = runs.failure_record
    try:
        found = json.loads(read_file(path))
        return Failure(stage=runs.stage, when=f"{found['when']}", reason=f"{found['reason']}")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StageError(f"{path}: {error.strerror}; remove it") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StageError(f"{path}: not the record of a failure ({error}); remove it") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The state of one stage of one dataset.

    Attributes:
        manifest: of the last run; None if none has finished, or it cannot be read.
        unfinished: keys of runs that were started but have not finished.
        failure: of the last attempt; None if it succeeded.
        damage: what is wrong with the last run, as far as sizes show it, and with the record of a
            failure; None if nothing is.
    """

    stage: StageName
    manifest: Manifest | None
    unfinished: tuple[str, ...]
    failure: Failure | None = None
    damage: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain, without the list of files."""
        state = asdict(self)
        if state["manifest"]:
            del state["manifest"]["files"]
        return state


def dataset_state(store: Store, dataset: str) -> list[StageState]:
    """The state of every stage of a dataset; what is damaged hides nothing else."""
    return [_state(runs) for runs in store.stages(dataset)]


def verdict(report_folder: Path) -> str:
    """The one-sentence verdict of a report.

    Raises:
        DamageError: if the report cannot be read; its digest may not have been checked.
    """
    path = report_folder / REPORT
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["verdict"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamageError(f"{path}: not a report ({error!r:.80})") from None


def _state(runs: StageRuns) -> StageState:
    manifest, failure, problems = None, None, []
    last = runs.linked
    link = runs.folder / LATEST
    if link.is_dir() and not link.is_symlink():
        problems.append(f"{link}: a folder instead of a link; the next run sets it aside")
    try:
        if last and (found := faults(last)):
            problems.append(str(damage(last, found)))
        if last and last.is_finished and not last.is_foreign:
            manifest = last.manifest
    except StageError as error:
        if not problems:
            problems.append(str(error))
    try:
        failure = load_failure(runs)
    except StageError as error:
        problems.append(str(error))
    return StageState(
        stage=runs.stage,
        manifest=manifest,
        unfinished=tuple(run.key for run in runs.unfinished()),
        failure=failure,
        damage="; ".join(problems) or None,
    )
