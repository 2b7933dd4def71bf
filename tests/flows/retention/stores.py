"""Stores with finished runs of any age, made without running a stage."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.retention.choose import Choice, choose
from flows.retention.collect import Outcome, collect
from flows.retention.limits import Limits
from flows.store.runs import StageRun, Store
from flows.store.stage import INPUTS, PARAMETERS
from tests.flows.finished import finish

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
STAGES = ("fetch", "corpus", "train", "sample", "evaluate")


def publish(
    store: Store,
    stage: str,
    key: str,
    *,
    days: float = 100,
    dataset: str = "tiny",
    inputs: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    kilobytes: int = 1,
    latest: bool = False,
) -> StageRun:
    """A finished run that was made `days` ago."""
    run = store.runs(stage, dataset).run(key)
    run.folder.mkdir(parents=True)
    (run.folder / "content").write_bytes(b"x" * 1000 * kilobytes)
    made = NOW - timedelta(days=days)
    finish(
        run,
        inputs=inputs or {},
        parameters=parameters or {},
        created=made.isoformat(timespec="seconds"),
    )
    use(run, days)
    if latest:
        run.make_latest()
    return run


def use(run: StageRun, days: float) -> None:
    """Set when a run was last used."""
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(run.folder, (moment, moment))


def chain(
    store: Store, name: str, *, days: float = 100, dataset: str = "tiny", **keys: Any
) -> None:
    """A run of every stage, each made from the one before; keys are `name` and a letter."""
    before: dict[str, str] = {}
    for stage in STAGES:
        key = f"{name}{stage[0]}"
        publish(store, stage, key, days=days, dataset=dataset, inputs=dict(before), **keys)
        before = {stage: key}


def begin(
    store: Store, stage: str, key: str, inputs: Mapping[str, str], **parameters: Any
) -> StageRun:
    """The work folder of an interrupted run."""
    run = store.runs(stage, "tiny").run(key)
    run.work.mkdir(parents=True)
    (run.work / INPUTS).write_text(json.dumps(inputs))
    (run.work / PARAMETERS).write_text(json.dumps(parameters))
    return run


def everything(store: Store) -> set[StageRun]:
    """Every finished run."""
    return {
        run
        for dataset in store.datasets()
        for runs in store.stages(dataset)
        for run in runs.finished()
    }


def names(verdicts: Any) -> set[str]:
    return {one.run.key for one in verdicts}


def chosen(store: Store, tomls: Mapping[str, Path] | None = None, **limits: Any) -> Choice:
    datasets = limits.pop("datasets", ())
    return choose(store, Limits(**limits), NOW, tomls=tomls or {}, datasets=datasets)


def collected(store: Store, **limits: Any) -> Outcome:
    datasets = limits.pop("datasets", ())
    shown = limits.pop("shown", None)
    return collect(store, Limits(**limits), NOW, tomls={}, datasets=datasets, shown=shown)
