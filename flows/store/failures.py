"""Why the last attempt at a stage failed, recorded for `charmill status` and the report index.

The record is stored next to the runs of its stage until the next success, when
`StageRun.make_latest` removes it. It also covers failures before a work folder exists, such as a
source that did not answer.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from flows.errors import StageError
from flows.options import StageName
from flows.store.runs import StageRuns, Store
from system.clock import minute, now_stamp
from system.errors import CharmillError
from system.files import write_whole

logger = logging.getLogger(__name__)
MAX_CHARACTERS = 500


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
def recording_failure(runs: StageRuns, errors: type[Exception] = Exception) -> Iterator[None]:
    """Record the reason if the block fails; Ctrl-C and cancellation are not failures.

    Args:
        errors: exceptions to record; others leave no record.
    """
    try:
        yield
    except errors as error:
        _save(runs, error)
        raise


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
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise StageError(f"{path}: not the record of a failure ({error}); remove it") from None


def _save(runs: StageRuns, error: Exception) -> None:
    """Write the record. If that fails too, the original error matters more."""
    kind = "" if isinstance(error, CharmillError) else f"{type(error).__name__}: "
    words = " ".join(f"{kind}{error}".split())
    failure = Failure(
        stage=runs.stage,
        when=now_stamp(),
        reason=words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} ...",
    )
    path = runs.failure_record
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{json.dumps(asdict(failure), indent=1)}\n".encode())
    except OSError as problem:
        logger.warning("%s: the reason for the failure could not be recorded: %s", path, problem)
