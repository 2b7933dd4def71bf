"""The stage store: run a stage once, publish it whole, never write to it again.

A stage's key is the digest of the keys it is made from, the parameters that matter to it and the
version of its code. Work happens in a folder of its own; when all of it is on the disk, manifest
last, one rename publishes it. A lock per key keeps two runs from making the same thing; it ends
with its process, however that ends. A killed run leaves its folder: a resumable stage goes on in
it, any other starts afresh.
"""

import errno
import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from flows.errors import StageError
from flows.options import Run, StageName
from flows.progress import Reporter
from flows.store.manifest import Manifest
from flows.store.paths import MANIFEST, Layout
from system.progress import Progress
from system.settings import Settings

ATTEMPTS = ".attempts"
INPUTS = ".inputs"
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SOFTWARE = ("charmill", "torch", "numpy", "pyarrow", "prefect")
KEY_DIGITS = 16
NEEDED_BYTES = 100_000_000
"""Prefect's database, a small corpus and a small model fit into this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What the work of a stage is given: its settings, its inputs, and the folder to fill."""

    run: Run
    settings: Settings
    layout: Layout
    inputs: Mapping[str, Path]
    directory: Path
    key: str


Work = Callable[[Workplace], Generator[Progress, None, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what it depends on, and how its work is done.

    Attributes:
        version: raised whenever the same input would give another output.
        inputs: stages whose output it reads.
        parameters: the settings that matter to it, JSON-plain.
        work: fills the folder it is given, yields progress, returns its summary.
        resumable: whether `work` goes on in a folder that a killed run left.
        outdated: why a finished run must be made anew though its key is right, None if it need not.
    """

    name: StageName
    version: int
    inputs: tuple[StageName, ...]
    parameters: Callable[[Run], dict[str, Any]]
    work: Work
    resumable: bool = False
    outdated: Callable[[Path], str | None] = lambda _folder: None

    def digest(self, run: Run, inputs: Mapping[StageName, str]) -> str:
        """The key of this stage made from `inputs`, as a first run has it."""
        identity = [self.name, self.version, self.parameters(run), dict(inputs)]
        text = json.dumps(identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]

    def choose(self, keys: Mapping[StageName, str]) -> dict[StageName, str]:
        """Of the keys of all stages so far, those this stage is made from."""
        return {name: keys[name] for name in self.inputs}


def newest_key(layout: Layout, stage: str, dataset: str, digest: str) -> str | None:
    """The key of the newest finished run with this digest, forced ones included."""
    same = [k for k in layout.keys(stage, dataset) if k.partition("-")[0] == digest]
    return max(same, key=run_number, default=None)


def why_outdated(stage: Stage, layout: Layout, dataset: str, key: str | None) -> str | None:
    """Why the finished run `key` must be made anew, None if it need not or there is none."""
    return None if key is None else stage.outdated(layout.published(stage.name, dataset, key))


def next_key(layout: Layout, stage: str, dataset: str, digest: str) -> str:
    """The key under which the next run with this digest will be published."""
    newest = newest_key(layout, stage, dataset, digest)
    return digest if newest is None else f"{digest}-{run_number(newest) + 1}"


def check_space(layout: Layout) -> None:
    """Refuse to begin on a disk that is full already.

    Raises:
        StageError: if less than NEEDED_BYTES are free.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(layout.root).free
    if free < NEEDED_BYTES:
        raise StageError(
            f"{layout.root}: {free:,} bytes free, at least {NEEDED_BYTES:,} are needed"
        )


def execute(
    stage: Stage,
    run: Run,
    inputs: Mapping[StageName, str],
    *,
    settings: Settings,
    reporter: Reporter,
    force: bool = False,
) -> Manifest:
    """Make the stage, or find it made; either way `latest` points at it afterwards.

    Args:
        inputs: stage name to key of what it is made from.
        force: make it anew even if it is there.

    Raises:
        StageError: if the disk is full.
    """
    place = _workplace(stage, run, inputs, settings, force=force)
    layout, key = place.layout, place.key
    try:
        with _locked(place, stage, reporter):
            reused = layout.is_published(stage.name, run.dataset, key)
            if not reused:
                reporter.started(stage.name, run.dataset)
                _make(stage, place, inputs, reporter)
            layout.point_latest(stage.name, run.dataset, key)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _no_space(place, stage) from error
        raise
    manifest = Manifest.load(layout.published(stage.name, run.dataset, key))
    seconds = None if reused else manifest.seconds
    reporter.finished(stage.name, run.dataset, key=key, seconds=seconds)
    return manifest


def _workplace(
    stage: Stage, run: Run, inputs: Mapping[StageName, str], settings: Settings, *, force: bool
) -> Workplace:
    """Where the stage is made, or stands already."""
    layout = Layout(settings.artifacts_root)
    digest = stage.digest(run, inputs)
    newest = newest_key(layout, stage.name, run.dataset, digest)
    force = force or why_outdated(stage, layout, run.dataset, newest) is not None
    key = next_key(layout, stage.name, run.dataset, digest) if force else newest or digest
    return Workplace(
        run=run,
        settings=settings,
        layout=layout,
        inputs={name: layout.published(name, run.dataset, k) for name, k in inputs.items()},
        directory=layout.work(stage.name, run.dataset, key),
        key=key,
    )


def _make(
    stage: Stage, place: Workplace, inputs: Mapping[StageName, str], reporter: Reporter
) -> None:
    """Do the work in the work folder and publish it."""
    attempts = _enter(stage, place)
    began = time.monotonic()
    work = stage.work(place)
    while True:
        try:
            reporter.update(next(work))
        except StopIteration as end:
            summary = end.value
            break
    manifest = Manifest(
        stage=stage.name,
        dataset=place.run.dataset,
        key=place.key,
        inputs={str(name): key for name, key in inputs.items()},
        parameters=stage.parameters(place.run),
        version=stage.version,
        summary=summary,
        seconds=round(time.monotonic() - began, 3),
        attempts=attempts,
        created=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        software={name: importlib.metadata.version(name) for name in SOFTWARE},
    )
    sync(place.directory)
    manifest.save(place.directory)
    _sync_path(place.directory / MANIFEST)
    for name in (ATTEMPTS, INPUTS):
        (place.directory / name).unlink(missing_ok=True)
    _sync_path(place.directory)
    target = place.layout.published(stage.name, place.run.dataset, place.key)
    place.directory.replace(target)
    _sync_path(target.parent)


def _enter(stage: Stage, place: Workplace) -> int:
    """Make the work folder ready; give the number of this attempt."""
    _sweep(stage, place)
    if not stage.resumable:
        shutil.rmtree(place.directory, ignore_errors=True)
    place.directory.mkdir(parents=True, exist_ok=True)
    counter = place.directory / ATTEMPTS
    attempts = 1 + (int(counter.read_text() or 0) if counter.exists() else 0)
    counter.write_text(str(attempts))
    if inputs := {name: folder.name for name, folder in place.inputs.items()}:
        (place.directory / INPUTS).write_text(json.dumps(inputs))
    return attempts


def _sweep(stage: Stage, place: Workplace) -> None:
    """Remove what killed runs of other keys left, if it cannot be gone on with."""
    if stage.resumable:
        return
    for left in place.directory.parent.glob(".work-*"):
        key = left.name.removeprefix(".work-")
        if key == place.key:
            continue
        try:
            with FileLock(place.layout.lock(stage.name, place.run.dataset, key), timeout=0):
                shutil.rmtree(left, ignore_errors=True)
        except Timeout:
            continue


@contextmanager
def _locked(place: Workplace, stage: Stage, reporter: Reporter) -> Iterator[None]:
    """Hold the lock of this key; says so when it has to wait."""
    path = place.layout.lock(stage.name, place.run.dataset, place.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        name = f"{stage.name} of {place.run.dataset}"
        reporter.say(f"{name}: waits for another run that makes the same")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _no_space(place: Workplace, stage: Stage) -> StageError:
    """The error of a full disk. What is needed is guessed from the last run and the inputs."""
    layout, dataset = place.layout, place.run.dataset
    latest = layout.latest_key(stage.name, dataset)
    last = [layout.published(stage.name, dataset, latest)] if latest else []
    needed = max(map(_size, (place.directory, *place.inputs.values(), *last)))
    free = shutil.disk_usage(layout.root).free
    about = f", at least {needed:,} are needed" if needed else ""
    return StageError(
        f"{layout.root}: no space left while making {stage.name} of {dataset}: {free:,} bytes "
        f"free{about}; finished stages are kept, make room and run again"
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def sync(directory: Path) -> None:
    """Bring everything under `directory` to the disk."""
    for path in sorted(directory.rglob("*")):
        _sync_path(path)
    _sync_path(directory)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def run_number(key: str) -> int:
    """1 for the first run with a digest, N for the N-th."""
    return int(key.partition("-")[2] or 1)
