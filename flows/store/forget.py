"""Remove a video's comments, or all data kept for too long, and what was made from them.

A fetch that loses comments gets a new key, since a key stands for a content. What was made from
the old one can then be told by its manifest alone: it, or what it was made from, was made from
something that is no longer there. That is what is removed, so a kill at any moment leaves nothing
that the next call does not find.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from corpora.errors import SourceError
from corpora.sources.youtube.store import (
    LISTING,
    Listing,
    Video,
    check_id,
    expiry,
    forgotten_ids,
    remember_forgotten,
)
from corpora.sources.youtube.store import forget as forget_in
from flows.errors import StageError
from flows.options import STAGE_NAMES, StageName
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import LATEST, WORK, Store
from flows.store.stage import INPUTS

GONE = ".gone-"
MODELS: tuple[StageName, ...] = ("train", "sample", "evaluate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """What is to be removed or changed.

    Attributes:
        key: name of its folder; ".work-<key>" is a run that was begun and not finished.
        comments: to be removed from it; None if all of it goes.
    """

    stage: StageName
    key: str
    comments: int | None = None


def find_video(
    store: Store, dataset: str, video_id: str, *, keep_models: bool = False
) -> list[Doomed]:
    """What a video's comments are in, and what was made from it; changes nothing.

    Raises:
        SourceError: if no fetch of the dataset has this video, nor ever had.
    """
    check_id(video_id)
    holding = [folder for folder in _collections(store, dataset) if _lists(folder, video_id)]
    if not holding and video_id not in forgotten_ids(store.runs("fetch", dataset).folder):
        raise SourceError(f"{dataset}: no video {video_id!r} was fetched, nothing was removed")
    found = [
        Doomed(stage="fetch", key=folder.name, comments=len(Video.load(folder, video_id).comments))
        for folder in holding
        if Video.load(folder, video_id).outcome != "forgotten"
    ]
    changed = {one.key for one in found if one.comments}
    return found + _orphans(store, dataset, changed, keep_models=keep_models)


def find_expired(
    store: Store, dataset: str, now: datetime, *, keep_models: bool = False
) -> list[Doomed]:
    """The fetches that may be kept no longer, and what was made from them; changes nothing."""
    found = [
        Doomed(stage="fetch", key=folder.name)
        for folder in _collections(store, dataset)
        if (end := expiry(folder)) is not None and now >= end
    ]
    return found + _orphans(store, dataset, {one.key for one in found}, keep_models=keep_models)


def remove(
    store: Store,
    dataset: str,
    doomed: list[Doomed],
    *,
    video_id: str | None = None,
    keep_models: bool = False,
) -> None:
    """Remove what `find_video` or `find_expired` found, and all that was made from it since.

    Args:
        video_id: the video to forget, None for what is expired.

    Raises:
        StageError: if a run is at work on one of it; what is left is removed by the next call.
    """
    for stage in STAGE_NAMES:
        for folder in store.runs(stage, dataset).folder.glob(f"{WORK}*"):
            with _at_rest(store, stage, dataset, folder.name):
                pass
    if video_id is not None:
        remember_forgotten(store.runs("fetch", dataset).folder, video_id)
    for one in doomed:
        if one.stage != "fetch":
            continue
        if video_id is None:
            _delete(store, "fetch", dataset, one.key)
        else:
            _forget_in_fetch(store, dataset, one, video_id)
    _move_unfinished(store, dataset)
    for one in _orphans(store, dataset, set(), keep_models=keep_models):
        _delete(store, one.stage, dataset, one.key)
    for stage in STAGE_NAMES:
        _sweep(store, stage, dataset)


def _collections(store: Store, dataset: str) -> list[Path]:
    """Folders of all fetches from YouTube, finished ones oldest first, then unfinished ones."""
    runs = store.runs("fetch", dataset)
    finished = [run.folder for run in runs.finished()]
    found = [*finished, *(run.work for run in runs.unfinished())]
    return [folder for folder in found if (folder / LISTING).exists()]


def _lists(folder: Path, video_id: str) -> bool:
    return video_id in Listing.load(folder).videos


def _orphans(store: Store, dataset: str, gone: set[str], *, keep_models: bool) -> list[Doomed]:
    """Everything made from something that is not there, or from what was; `gone` as if it were.

    Unfinished trainings hold the text itself, so `keep_models` does not keep them.
    """
    there = {"fetch": set(store.runs("fetch", dataset).keys()) - gone}
    found = []
    for stage in STAGE_NAMES[1:]:
        there[stage] = set()
        for folder in sorted(store.runs(stage, dataset).folder.glob("*")):
            inputs = _inputs(folder)
            if inputs is None:
                continue
            is_work = folder.name.startswith(WORK)
            if all(key in there[name] for name, key in inputs.items()):
                there[stage] |= set() if is_work else {folder.name}
            elif is_work or not (keep_models and stage in MODELS):
                found.append(Doomed(stage=stage, key=folder.name))
    return found


def _inputs(folder: Path) -> dict[str, str] | None:
    """What a run was made from, None for what is no run; one that does not say is made of "?"."""
    if folder.is_symlink() or folder.name.startswith(GONE):
        return None
    if folder.name.startswith(WORK):
        path = folder / INPUTS
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {"fetch": "?"}
    return dict(Manifest.load(folder).inputs) if (folder / MANIFEST).is_file() else None


def _forget_in_fetch(store: Store, dataset: str, one: Doomed, video_id: str) -> None:
    """Remove the comments from one fetch; a finished one that had any gets the next key first.

    Killed after the renaming, the video is still there and the next call renames once more.
    """
    runs = store.runs("fetch", dataset)
    run = runs.run(one.key)
    folder = run.folder
    if one.comments and not one.key.startswith(WORK):
        output = runs.next(run.digest)
        is_latest = runs.latest == run
        replace(run.manifest, key=output.key).save(folder)
        folder = folder.rename(output.folder)
        if is_latest:
            output.make_latest()
    forget_in(folder, video_id)


def _move_unfinished(store: Store, dataset: str) -> None:
    """Let an unfinished fetch whose key was taken go on under the next one."""
    runs = store.runs("fetch", dataset)
    for run in runs.unfinished():
        if run.is_finished:
            run.work.rename(runs.next(run.digest).work)


def _delete(store: Store, stage: StageName, dataset: str, name: str) -> None:
    """Remove a folder: out of sight in one step, then from the disk."""
    folder = store.runs(stage, dataset).folder / name
    with _at_rest(store, stage, dataset, name):
        if folder.exists():
            folder.rename(folder.with_name(f"{GONE}{name}"))
    _sweep(store, stage, dataset)


def _sweep(store: Store, stage: StageName, dataset: str) -> None:
    """Remove what was put out of sight, and a `latest` that points there."""
    runs = store.runs(stage, dataset)
    for folder in runs.folder.glob(f"{GONE}*"):
        shutil.rmtree(folder)
    if runs.latest is None:
        (runs.folder / LATEST).unlink(missing_ok=True)
        if finished := runs.finished():
            finished[-1].make_latest()


@contextmanager
def _at_rest(store: Store, stage: StageName, dataset: str, name: str) -> Iterator[None]:
    """Hold the lock of a run.

    Raises:
        StageError: if a process is making it.
    """
    with store.runs(stage, dataset).run(name.removeprefix(WORK)).lock_if_free() as is_free:
        if not is_free:
            raise StageError(
                f"{dataset}: {stage} is being made right now; stop it, then run this again"
            )
        yield
