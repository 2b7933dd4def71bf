"""The state of every stage of a dataset, for `charmill status`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.errors import DamageError, StageError
from flows.options import StageName
from flows.store.failures import Failure, load_failure
from flows.store.manifest import Manifest
from flows.store.runs import StageRuns, Store

REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The state of one stage of one dataset.

    Attributes:
        manifest: of the last run; None if none has finished, or it is damaged.
        unfinished: keys of runs that were started but have not finished.
        failure: of the last attempt; None if it succeeded.
        damage: what cannot be read, and why; None if all can.
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


def _state(runs: StageRuns) -> StageState:
    manifest, failure, problems = None, None, []
    try:
        manifest = runs.latest.manifest if runs.latest else None
    except StageError as error:
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


def verdict(report_folder: Path) -> str:
    """The one-sentence verdict of a report.

    Raises:
        DamageError: if the report cannot be read; its digest may not have been checked.
    """
    path = report_folder / REPORT
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["verdict"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamageError(f"{path}: not a report ({error!r:.80})") from None
