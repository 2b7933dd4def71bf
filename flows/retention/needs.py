"""Which finished runs there are, and which other runs each of them needs.

A run needs those that it read: its inputs, the corpus whose split `corpus.frozen` keeps, and the
model that `train.init_from` names, which may belong to another dataset. Unfinished runs and the
TOMLs of datasets need runs in the same way.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.errors import StageError
from flows.store.manifest import Manifest
from flows.store.protection import last_used
from flows.store.runs import LATEST, WORK, StageRun, StageRuns, Store
from flows.store.stage import INPUTS, PARAMETERS

FROZEN, INIT_FROM = "frozen", "init_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Something that is not a finished run and needs some: an unfinished run, or a TOML.

    Attributes:
        what: for display, as in "needed by {what}".
    """

    what: str
    needs: frozenset[StageRun]


@dataclass(slots=True)
class Holdings:
    """Everything in the store that gc must know.

    Attributes:
        needs: every finished run, in the order of age within its stage, and the runs it needs.
        used: when each was made or last reused.
        latest: runs that a link `latest` points to.
        unreadable: runs with a damaged manifest or none, or of a dataset with an unreadable TOML;
            why.
    """

    needs: dict[StageRun, frozenset[StageRun]] = field(default_factory=dict)
    used: dict[StageRun, datetime] = field(default_factory=dict)
    latest: set[StageRun] = field(default_factory=set)
    unreadable: dict[StageRun, str] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)


def survey(store: Store, tomls: Mapping[str, Path]) -> Holdings:
    """Read all manifests of the store.

    Args:
        tomls: dataset to TOML.
    """
    found = Holdings()
    all_runs = [runs for dataset in store.datasets() for runs in store.stages(dataset)]
    # In this order: a run that finishes meanwhile is seen twice rather than never.
    for runs in all_runs:
        found.holders += [_unfinished(run) for run in runs.unfinished()]
    for runs in all_runs:
        _add(found, runs)
    for dataset, path in tomls.items():
        _add_toml(found, store, dataset, path)
    return found


def _add(found: Holdings, runs: StageRuns) -> None:
    link = runs.folder / LATEST
    if link.is_symlink():
        found.latest.add(runs.run(link.readlink().name))
    for run in runs.folders():
        if run.folder.is_dir() and not run.is_finished and run.folder.exists():
            found.unreadable[run] = f"{run.folder}: has no manifest"
    for run in runs.finished(copies=True):
        try:
            manifest, used = run.manifest, last_used(run)
        except FileNotFoundError:
            continue
        except StageError as error:
            found.needs[run], found.used[run] = frozenset(), datetime.now(UTC)
            found.unreadable[run] = str(error)
            continue
        if run.is_foreign:  # a copy is never removed
            holder = Holder(what=f"{run.folder}", needs=frozenset(_needs(run, manifest)))
            found.holders.append(holder)
            continue
        found.needs[run], found.used[run] = frozenset(_needs(run, manifest)), used


def _needs(run: StageRun, manifest: Manifest) -> Iterator[StageRun]:
    yield from _inputs(run, manifest.inputs)
    yield from _named(run.runs, manifest.parameters)


def _inputs(run: StageRun, inputs: Mapping[Any, str]) -> Iterator[StageRun]:
    store, dataset = run.runs.store, run.runs.dataset
    return (store.runs(stage, dataset).run(key) for stage, key in inputs.items())


def _named(runs: StageRuns, parameters: Mapping[str, Any]) -> Iterator[StageRun]:
    """The runs that the parameters of a stage name."""
    frozen, init_from = parameters.get(FROZEN), parameters.get(INIT_FROM)
    if runs.stage == "corpus" and isinstance(frozen, str):
        yield from _matching(runs, frozen)
    if runs.stage == "train" and isinstance(init_from, str):
        dataset, _, key = init_from.partition("@")
        models = runs.store.runs("train", dataset)
        if key:
            yield from _matching(models, key)
        elif models.latest:
            yield models.latest


def _matching(runs: StageRuns, beginning: str) -> Iterator[StageRun]:
    """As `StageRuns.find`, but all runs that an ambiguous beginning may mean."""
    keys = runs.keys()
    exact = [key for key in keys if key == beginning]
    yield from map(runs.run, exact or [key for key in keys if key.startswith(beginning)])


def _unfinished(run: StageRun) -> Holder:
    """What a run in progress, or an interrupted one, reads; anything, if its notes are damaged."""
    inputs, parameters = (_note(run.work / name) for name in (INPUTS, PARAMETERS))
    is_whole = inputs is not None and all(isinstance(key, str) for key in inputs.values())
    if inputs is None or parameters is None or not is_whole:
        stages = run.runs.store.stages(run.runs.dataset)
        needs = frozenset(one for runs in stages for one in runs.finished())
    else:
        needs = frozenset((*_inputs(run, inputs), *_named(run.runs, parameters)))
    return Holder(what=f"{WORK}{run.key}, unfinished {run.runs}", needs=needs)


def _note(path: Path) -> Mapping[str, Any] | None:
    """The content of a note, empty if there is none; None if it is damaged, as by a power cut."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _add_toml(found: Holdings, store: Store, dataset: str, path: Path) -> None:
    """Add what a TOML names; one that cannot be parsed may name any run of its dataset."""
    try:
        text = path.read_text(encoding="utf-8")
        # Nearly all TOMLs name no run, and parsing thirty takes longer than everything else here.
        if FROZEN not in text and INIT_FROM not in text:
            return
        sections = tomllib.loads(text)
    except (OSError, ValueError) as error:
        for run in found.needs:
            if run.runs.dataset == dataset:
                found.unreadable[run] = f"{path}: {error}"
        return
    named = [
        run
        for stage in ("corpus", "train")
        if isinstance(section := sections.get(stage), dict)
        for run in _named(store.runs(stage, dataset), section)
    ]
    found.holders.append(Holder(what=str(path), needs=frozenset(named)))
