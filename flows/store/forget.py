"""Delete one item of a source, or all material past its retention, and everything derived from it.

A fetch that loses an item gets a new key, because a key identifies contents. The manifest of
everything derived from the old contents then names an input, direct or indirect, that no longer
exists. Exactly these runs are deleted, so after a kill at any moment the next call finds the rest.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from corpora.errors import SourceError
from corpora.sources import ItemStore, Source
from flows.errors import DamageError, StageError
from flows.options import STAGE_NAMES, StageName
from flows.store.integrity import list_faults
from flows.store.leftovers import GONE, discard, empty_trash
from flows.store.manifest import KEY, Manifest, record_files
from flows.store.runs import LATEST, SET_ASIDE, WORK, StageRun, StageRuns, Store
from flows.store.stage import INPUTS
from system.files import write_whole

FORGOTTEN = "forgotten.json"
UNKNOWN = {"fetch": "?"}
MODELS: tuple[StageName, ...] = ("train", "sample", "evaluate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A run to delete, or to delete one item from.

    Attributes:
        key: name of its folder; ".work-<key>" is an unfinished run.
        texts: how many texts of the item it holds; None if the whole run is deleted.
        unit: plural noun for these texts.
    """

    stage: StageName
    key: str
    texts: int | None = None
    unit: str = "texts"


def find_item(
    store: Store, dataset: str, source: Source, item: str, *, keep_models: bool = False
) -> list[Removal]:
    """List the fetches that hold an item, and what was derived from them; changes nothing.

    Raises:
        SourceError: if no fetch of the dataset holds this item, or ever held it.
    """
    items = _items(source)
    items.check(item)
    runs = store.runs("fetch", dataset)
    counts = {folder: items.count(folder, item) for folder in _fetches(runs)}
    holding = {folder: count for folder, count in counts.items() if count is not None}
    damaged = _damaged(runs)
    if not (holding or damaged) and item not in forgotten_ids(runs):
        raise SourceError(f"{dataset}: no {items.noun} {item!r} was fetched; nothing was removed")
    removals = [
        Removal(stage="fetch", key=folder.name, texts=count, unit=items.unit)
        for folder, count in holding.items()
        if not items.is_deleted(folder, item)
    ]
    changed = {removal.key for removal in (*removals, *damaged) if removal.texts != 0}
    return removals + damaged + _orphans(store, dataset, changed, keep_models=keep_models)


def find_expired(
    store: Store, dataset: str, source: Source, now: datetime, *, keep_models: bool = False
) -> list[Removal]:
    """List the fetches past their retention, and what was derived from them; changes nothing."""
    removals = [
        Removal(stage="fetch", key=folder.name)
        for folder in _fetches(store.runs("fetch", dataset))
        if (end := source.expiry(folder)) is not None and now >= end
    ]
    removals += _damaged(store.runs("fetch", dataset))
    expired = {removal.key for removal in removals}
    return removals + _orphans(store, dataset, expired, keep_models=keep_models)


def remove(
    store: Store,
    dataset: str,
    source: Source,
    removals: list[Removal],
    *,
    item: str | None = None,
    keep_models: bool = False,
) -> None:
    """Delete what `find_item` or `find_expired` listed, and all that was derived from it since.

    Args:
        item: the item to forget, None for expired fetches.

    Raises:
        StageError: if a run is working on any of it; the next call deletes what remains.
    """
    for stage in STAGE_NAMES:
        for folder in store.runs(stage, dataset).folder.glob(f"{WORK}*"):
            with _idle(store, stage, dataset, folder.name):
                pass
    if item is not None:
        _remember(store.runs("fetch", dataset), item)
    for removal in removals:
        if removal.stage != "fetch":
            continue
        if item is None or removal.texts is None:
            _delete(store, "fetch", dataset, removal.key)
        else:
            _forget_in_fetch(store.runs("fetch", dataset), _items(source), removal, item)
    _move_unfinished(store, dataset)
    for removal in _orphans(store, dataset, set(), keep_models=keep_models):
        _delete(store, removal.stage, dataset, removal.key)
    for stage in STAGE_NAMES:
        _sweep(store, stage, dataset)


def forgotten_ids(fetches: StageRuns) -> list[str]:
    """The items that no fetch of a dataset may fetch again; the record outlives the fetches."""
    path = fetches.folder / FORGOTTEN
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _remember(fetches: StageRuns, item: str) -> None:
    ids = sorted({*forgotten_ids(fetches), item})
    write_whole(fetches.folder / FORGOTTEN, json.dumps(ids, indent=1).encode())


def _items(source: Source) -> ItemStore:
    if source.items is None:
        raise SourceError(f"a source of kind {source.kind!r} has no items to forget")
    return source.items


def _fetches(fetches: StageRuns) -> list[Path]:
    """Folders of all fetches: finished ones, oldest first, then unfinished ones."""
    finished = [run.folder for run in fetches.finished(copies=True) if _is_readable(run)]
    return [*finished, *(run.work for run in fetches.unfinished())]


def _orphans(store: Store, dataset: str, gone: set[str], *, keep_models: bool) -> list[Removal]:
    """Every run with an input that does not exist, directly or indirectly.

    Unfinished trainings hold the text itself, so `keep_models` does not keep them.

    Args:
        gone: keys of fetches to treat as deleted.
    """
    existing = {"fetch": set(store.runs("fetch", dataset).keys()) - gone}
    orphans = []
    for stage in STAGE_NAMES[1:]:
        existing[stage] = set()
        for folder in sorted(store.runs(stage, dataset).folder.glob("*")):
            inputs = _inputs(folder)
            if inputs is None:
                continue
            is_unfinished = folder.name.startswith(WORK)
            if all(key in existing[name] for name, key in inputs.items()):
                existing[stage] |= set() if is_unfinished else {folder.name}
            elif is_unfinished or not (keep_models and stage in MODELS):
                orphans.append(Removal(stage=stage, key=folder.name))
    return orphans


def _inputs(folder: Path) -> dict[str, str] | None:
    """The inputs of a run; None if this is not a run.

    A run that does not say what it was made from gets the fetch "?", which never exists: one
    without a record of its inputs, a damaged one, and one that was set aside.
    """
    name = folder.name
    if folder.is_symlink() or name.startswith(GONE):
        return None
    if name.startswith(WORK):
        path = folder / INPUTS
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return dict(UNKNOWN)
    if name.startswith(SET_ASIDE):
        return dict(UNKNOWN)
    try:
        return dict(Manifest.load(folder).inputs) if KEY.fullmatch(name) else None
    except DamageError:
        return dict(UNKNOWN)


def _damaged(fetches: StageRuns) -> list[Removal]:
    """Fetches that cannot be searched for an item, because they are damaged."""
    unreadable = [run.key for run in fetches.folders() if not _is_readable(run)]
    aside = [path.name for path in fetches.set_aside()]
    latest = fetches.folder / LATEST
    if latest.is_dir() and not latest.is_symlink():
        aside.append(LATEST)
    return [Removal(stage="fetch", key=key) for key in (*unreadable, *aside)]


def _is_readable(run: StageRun) -> bool:
    try:
        return bool(run.manifest)
    except DamageError:
        return False


def _forget_in_fetch(fetches: StageRuns, items: ItemStore, removal: Removal, item: str) -> None:
    """Delete an item from one fetch; a finished fetch that held texts of it is renamed first.

    If killed after renaming, the item is still there and the next call renames once more.
    """
    run = fetches.run(removal.key)
    folder = run.folder
    if removal.key.startswith(WORK):
        items.delete(folder, item)
        return
    manifest, is_damaged = run.manifest, bool(list_faults(run))
    if removal.texts:
        output = fetches.next(run.digest)
        is_latest = fetches.latest == run
        manifest = replace(manifest, key=output.key)
        manifest.save(folder)
        folder = folder.rename(output.folder)
        if is_latest:
            output.make_latest()
    if is_damaged or manifest.files is None:
        items.delete(folder, item)  # new digests would make the damage look right
        return
    replace(manifest, files=None).save(folder)  # true at any moment, if this is killed
    items.delete(folder, item)
    replace(manifest, files=record_files(folder)).save(folder)


def _move_unfinished(store: Store, dataset: str) -> None:
    """Give an unfinished fetch whose key is in use the next key, so that it can resume."""
    runs = store.runs("fetch", dataset)
    for run in runs.unfinished():
        if run.is_finished:
            run.work.rename(runs.next(run.digest).work)


def _delete(store: Store, stage: StageName, dataset: str, name: str) -> None:
    """Delete a run: renamed in one step, then removed from the disk."""
    folder = store.runs(stage, dataset).folder / name
    with _idle(store, stage, dataset, name):
        if folder.exists():
            discard(folder)
    _sweep(store, stage, dataset)


def _sweep(store: Store, stage: StageName, dataset: str) -> None:
    """Remove renamed runs from the disk, and repair `latest` if it pointed at one."""
    runs = store.runs(stage, dataset)
    empty_trash(runs)
    link = runs.folder / LATEST
    if runs.latest is None:
        if link.is_symlink():
            link.unlink()
        if finished := runs.finished():
            finished[-1].make_latest()


@contextmanager
def _idle(store: Store, stage: StageName, dataset: str, name: str) -> Iterator[None]:
    """Hold the lock of a run.

    Raises:
        StageError: if another process holds it.
    """
    with store.runs(stage, dataset).run(name.removeprefix(WORK)).lock_if_free() as is_free:
        if not is_free:
            raise StageError(
                f"{dataset}: {stage} is running now; stop it, then run this command again"
            )
        yield
