"""Whether an artifact store is sound, whatever happened to the processes that wrote it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from flows.options import STAGE_NAMES
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import LATEST, StageRun, Store
from tests.faults.table import LostError

Digests = dict[str, str]
OF_TORCH = "torchinductor_"
"""A folder that torch makes once per user."""
OF_PYTHON = 4
"""Bytes of a file that Python's `tempfile` writes, and removes again within microseconds."""
TIMES = {"seconds", "characters_per_second"}
FINDINGS = ("verdict", "ladder", "groups", "samples", "funnel")


def digests(folder: Path) -> Digests:
    """The digest of every file of a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def known_digests(store: Store, dataset: str) -> dict[str, Digests]:
    """The digests of every finished run."""
    return {name: digests(run.folder) for name, run in finished(store, dataset).items()}


def finished(store: Store, dataset: str) -> dict[str, StageRun]:
    """Every finished run, as "stage/key"."""
    return {
        f"{runs.stage}/{run.key}": run for runs in store.stages(dataset) for run in runs.finished()
    }


def check(store: Store, dataset: str, known: dict[str, Digests]) -> None:
    """Fail unless what was finished is unchanged, and what counts as finished is whole.

    Args:
        known: digests of the finished runs that were seen so far; new ones are added.
    """
    runs = finished(store, dataset)
    for name, its_digests in known.items():
        if name not in runs:
            raise LostError(f"{name} is gone")
        if digests(runs[name].folder) != its_digests:
            raise LostError(f"{name} has changed")
    for name, run in runs.items():
        if name not in known:
            check_whole(run)
            known[name] = digests(run.folder)
    for stage in STAGE_NAMES:
        _check_names(store, stage, dataset)


def check_whole(run: StageRun) -> None:
    """Fail unless a finished run has every file that its manifest lists, unchanged."""
    manifest = Manifest.load(run.folder)
    if (manifest.stage, manifest.key) != (run.runs.stage, run.key):
        raise LostError(f"{run.folder} has the manifest of {manifest.stage} {manifest.key}")
    listed = json.loads((run.folder / MANIFEST).read_text(encoding="utf-8")).get("files") or {}
    found = digests(run.folder)
    wrong = [name for name, file in listed.items() if found.get(name) != file["sha256"]]
    if wrong:
        raise LostError(f"{run.folder}: files that differ from the manifest: {wrong}")
    if [path for path in run.folder.rglob("*") if path.name.endswith(".partial")]:
        raise LostError(f"{run.folder} has partial files")


def _check_names(store: Store, stage: Any, dataset: str) -> None:
    """Whatever has a final name is finished, and `latest` points to a finished run."""
    runs = store.runs(stage, dataset)
    keys = set(runs.keys())
    for path in runs.folder.glob("[!.]*"):
        if path.name == LATEST:
            if not path.is_symlink() or runs.latest is None:
                raise LostError(f"{path} does not point to a finished run")
        elif path.name not in keys:
            raise LostError(f"{path} has a final name but is not finished")


def check_nothing_left(store: Store, dataset: str, temporary: Path) -> None:
    """Fail if temporary files or held locks are left after a successful run."""
    left = [str(path) for path in temporary.iterdir() if not _is_of_others(path)]
    for runs in store.stages(dataset):
        left += [
            str(path)
            for path in runs.folder.glob(".*")
            if not (path.name == "forgotten.json" or path == runs.failure_record)
        ]
        left += [f"the lock of {run.key}" for run in runs.finished() if run.is_locked]
    if left:
        raise LostError(f"left over: {', '.join(left)}")


def _is_of_others(path: Path) -> bool:
    """Whether torch or Python made this, in a way that we cannot change and that stays small."""
    return path.name.startswith(OF_TORCH) or path.stat().st_size <= OF_PYTHON


def check_same(one: StageRun, other: StageRun) -> None:
    """Fail unless two runs published the same, apart from times and attempts."""
    first, second = _comparable(one), _comparable(other)
    different = [name for name in {*first, *second} if first.get(name) != second.get(name)]
    if different:
        raise LostError(f"{one.runs}: differs from an undisturbed run: {sorted(different)}")


def _comparable(run: StageRun) -> Mapping[str, Any]:
    """What must be equal in two runs of a stage, by file."""
    folder, found = run.folder, dict[str, Any](digests(run.folder))
    manifest = Manifest.load(folder)
    found[MANIFEST] = (manifest.key, manifest.inputs, manifest.parameters, manifest.version)
    if "metrics.parquet" in found:
        table = pq.read_table(folder / "metrics.parquet")
        found["metrics.parquet"] = table.drop_columns(sorted(TIMES)).to_pylist()
    if "report.json" in found:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        found |= {"report.json": [report[key] for key in FINDINGS]}
        found |= {"report.html": "has times", "report.md": "has times"}
    if "downloads.json" in found:
        records = json.loads((folder / "downloads.json").read_text(encoding="utf-8"))
        found["downloads.json"] = {name: record["sha256"] for name, record in records.items()}
    return found
