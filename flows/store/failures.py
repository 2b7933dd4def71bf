"""Why the last attempt at a stage failed, kept where `charmill status` and the index find it.

A failure stands beside the runs of its stage until the next success: as soon as `latest` points at
a run that was made or found current, it is gone (`Layout.point_latest`). It is there also for what
failed before any work folder was, such as a source that did not answer.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from flows.options import STAGE_NAMES, StageName
from flows.store.paths import Layout
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
    def words(self) -> str:
        """The failure in one line."""
        return f"{self.stage} failed {self.when[:16].replace('T', ' ')}: {self.reason}"


@contextmanager
def noting(
    layout: Layout, stage: StageName, dataset: str, what: type[Exception] = Exception
) -> Iterator[None]:
    """Keep the reason if the block fails; a wish to stop is no failure.

    Args:
        what: errors that count; any other passes without a trace.
    """
    try:
        yield
    except what as error:
        _save(layout, dataset, stage, error)
        raise


def failures(layout: Layout, dataset: str) -> list[Failure]:
    """The failures that no success followed, in the order of the stages.

    Raises:
        ValueError: if the record of one is damaged; names the file.
    """
    return [found for stage in STAGE_NAMES if (found := _load(layout, stage, dataset))]


def _save(layout: Layout, dataset: str, stage: StageName, error: Exception) -> None:
    """Write the record. Where even that cannot be done, the error itself matters more."""
    kind = "" if isinstance(error, ValueError | CharmillError) else f"{type(error).__name__}: "
    words = " ".join(f"{kind}{error}".split())
    failure = Failure(
        stage=stage,
        when=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        reason=words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} ...",
    )
    path = layout.failure(stage, dataset)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{json.dumps(asdict(failure), indent=1)}\n".encode())
    except OSError as problem:
        logger.warning("%s: the reason of the failure could not be kept: %s", path, problem)


def _load(layout: Layout, stage: StageName, dataset: str) -> Failure | None:
    path = layout.failure(stage, dataset)
    try:
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the record of a failure ({error}); remove it") from None
