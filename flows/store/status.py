"""What stands under the artifacts root, for `status`, `report` and those who read results."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.errors import StageError
from flows.options import STAGE_NAMES, StageName
from flows.store.failures import Failure, failures
from flows.store.manifest import Manifest
from flows.store.paths import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """One stage of one dataset as it stands.

    Attributes:
        manifest: of the run that `latest` points at, None if none was ever finished.
        unfinished: keys of runs that were begun and not finished.
        failure: of the last attempt, None if that went well.
    """

    stage: StageName
    manifest: Manifest | None
    unfinished: tuple[str, ...]
    failure: Failure | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON says it."""
        return asdict(self)


def dataset_state(layout: Layout, dataset: str) -> list[StageState]:
    """The state of every stage of a dataset."""
    failed = {one.stage: one for one in failures(layout, dataset)}
    return [_stage_state(layout, stage, dataset, failed.get(stage)) for stage in STAGE_NAMES]


def latest_folder(layout: Layout, stage: StageName, dataset: str) -> Path:
    """Folder of the newest run of a stage.

    Raises:
        StageError: if the stage was never finished.
    """
    key = layout.latest_key(stage, dataset)
    if key is None:
        raise StageError(
            f"{dataset}: nothing from {stage} yet; make it with `charmill run {dataset}`"
        )
    return layout.published(stage, dataset, key)


def verdict(report_folder: Path) -> str:
    """The one-sentence verdict of a report."""
    data = json.loads((report_folder / "report.json").read_text(encoding="utf-8"))
    return data["verdict"]


def _stage_state(
    layout: Layout, stage: StageName, dataset: str, failure: Failure | None
) -> StageState:
    key = layout.latest_key(stage, dataset)
    manifest = Manifest.load(layout.published(stage, dataset, key)) if key else None
    left = layout.shelf(stage, dataset).glob(".work-*")
    unfinished = tuple(sorted(path.name.removeprefix(".work-") for path in left))
    return StageState(stage=stage, manifest=manifest, unfinished=unfinished, failure=failure)
