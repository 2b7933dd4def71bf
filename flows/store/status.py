"""The state of every stage of a dataset, for `charmill status`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.options import StageName
from flows.store.failures import Failure, load_failure
from flows.store.manifest import Manifest
from flows.store.runs import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The state of one stage of one dataset.

    Attributes:
        manifest: of the last run; None if none has finished.
        unfinished: keys of runs that were started but have not finished.
        failure: of the last attempt; None if it succeeded.
    """

    stage: StageName
    manifest: Manifest | None
    unfinished: tuple[str, ...]
    failure: Failure | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return asdict(self)


def dataset_state(store: Store, dataset: str) -> list[StageState]:
    """The state of every stage of a dataset."""
    return [
        StageState(
            stage=runs.stage,
            manifest=latest.manifest if (latest := runs.latest) else None,
            unfinished=tuple(run.key for run in runs.unfinished()),
            failure=load_failure(runs),
        )
        for runs in store.stages(dataset)
    ]


def verdict(report_folder: Path) -> str:
    """The one-sentence verdict of a report."""
    data = json.loads((report_folder / "report.json").read_text(encoding="utf-8"))
    return data["verdict"]
