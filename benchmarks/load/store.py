"""Fill a store with copies of one real pipeline: the same files, under other keys and dates."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from flows.options import STAGE_NAMES, StageName
from flows.store.manifest import MANIFEST, key_digest
from flows.store.runs import StageRun, Store

REPORTS_OF_A_MODEL = 10
SPREAD_BITS = 0.05
"""Standard deviation of the bits per character of the copies."""


def fill_store(store: Store, original: str, datasets: list[str], reports: int, days: float) -> None:
    """Give every dataset finished runs of all stages, evenly over the last `days`.

    Files are links to those of the original, so that gigabytes cost little; each run has its own
    folder and manifest, and a true key.
    """
    chain = [store.runs(stage, original).last() for stage in STAGE_NAMES]
    random = np.random.default_rng(7)
    for dataset in datasets:
        keys: dict[StageName, str] = {}
        for number in range(reports):
            created = datetime.now(UTC) - timedelta(days=days * (1 - number / reports))
            made = chain if number % REPORTS_OF_A_MODEL == 0 else chain[-1:]
            for run in made:
                keys[run.runs.stage] = _copy(run, dataset, keys, created, number, random.normal())
        for stage in STAGE_NAMES:
            store.runs(stage, dataset).run(keys[stage]).make_latest()


def _copy(
    original: StageRun,
    dataset: str,
    keys: Mapping[StageName, str],
    created: datetime,
    number: int,
    chance: float,
) -> str:
    """A copy of a run with other inputs and settings; returns its key."""
    manifest = original.manifest
    inputs = {name: keys[name] for name in STAGE_NAMES if name in manifest.inputs}
    parameters = {**manifest.parameters, "copy": number}
    summary = dict(manifest.summary)
    if "bits_per_char" in summary:
        summary["bits_per_char"] += SPREAD_BITS * chance
    key = key_digest(manifest.stage, manifest.version, parameters, inputs)
    run = original.runs.store.runs(original.runs.stage, dataset).run(key)
    _link(original.folder, run.folder)
    replace(
        manifest,
        dataset=dataset,
        key=key,
        inputs=inputs,
        parameters=parameters,
        summary=summary,
        created=created.isoformat(timespec="seconds"),
    ).save(run.folder)
    os.utime(run.folder, (created.timestamp(), created.timestamp()))
    return key


def _link(source: Path, target: Path) -> None:
    """The same files in another folder, but for the manifest."""
    target.mkdir(parents=True)
    for path in source.rglob("*"):
        if path.is_file() and path.name != MANIFEST:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(path)


def finished_runs(store: Store) -> int:
    """How many finished runs there are."""
    return sum(
        len(runs.finished()) for dataset in store.datasets() for runs in store.stages(dataset)
    )


def newest_reports(store: Store, dataset: str) -> Mapping[str, str]:
    """The keys of the newest two reports, as `old` and `new`."""
    old, new = store.runs("evaluate", dataset).finished()[-2:]
    return {"old": old.key, "new": new.key}
