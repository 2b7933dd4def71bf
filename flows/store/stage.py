"""Execute a stage once, publish its output atomically, and never write to it again.

A run's key is the digest of the keys of its inputs, of the parameters that matter to the stage and
of the version of its code. The work happens in a work folder; when all of it is on the disk,
manifest last, one rename publishes it. A lock per key, released however its process ends, keeps
two processes from executing the same run. A killed process leaves its work folder: a resumable
stage continues in it, any other starts over.
"""

import errno
import hashlib
import importlib.metadata
import json
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.options import Run, StageName
from flows.progress import Reporter
from flows.store.disk import no_space, sync
from flows.store.leftovers import sweep
from flows.store.manifest import MANIFEST, Manifest
from flows.store.protection import reserve_all
from flows.store.runs import StageRun, StageRuns, Store
from system.clock import now_stamp
from system.files import sync_path
from system.progress import Progress
from system.settings import Settings

ATTEMPTS = ".attempts"
INPUTS = ".inputs"
PARAMETERS = ".parameters"
NOTES = (ATTEMPTS, INPUTS, PARAMETERS)
"""Files about a run in progress, in its work folder only."""
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SOFTWARE = ("charmill", "torch", "numpy", "pyarrow", "prefect")
KEY_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What a stage works with.

    Attributes:
        run: settings of all stages.
        inputs: stage name to folder of the run that it reads.
        output: the run in progress.
    """

    run: Run
    settings: Settings
    inputs: Mapping[str, Path]
    output: StageRun

    @property
    def directory(self) -> Path:
        """The folder to fill."""
        return self.output.work

    @property
    def store(self) -> Store:
        """Where all runs are."""
        return self.output.runs.store


Work = Callable[[StageContext], Generator[Progress, None, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what it depends on, and how its work is done.

    Attributes:
        version: raised whenever the same input would give a different output.
        inputs: stages whose output it reads.
        parameters: the settings that matter to it, JSON-plain.
        work: fills the work folder, yields progress, returns the manifest's summary.
        resumable: whether `work` can continue in the work folder of a killed run.
        outdated: why a finished run must be repeated although its key is current, else None.
    """

    name: StageName
    version: int
    inputs: tuple[StageName, ...]
    parameters: Callable[[Run], dict[str, Any]]
    work: Work
    resumable: bool = False
    outdated: Callable[[Path], str | None] = lambda _folder: None

    def digest(self, run: Run, inputs: Mapping[StageName, str]) -> str:
        """The key of the first run of this stage on `inputs`."""
        identity = [self.name, self.version, self.parameters(run), dict(inputs)]
        text = json.dumps(identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]

    def choose(self, keys: Mapping[StageName, str]) -> dict[StageName, str]:
        """Those of `keys`, of all earlier stages, that this stage reads."""
        return {name: keys[name] for name in self.inputs}

    def why_outdated(self, finished: StageRun | None) -> str | None:
        """Why a finished run must be repeated; None if it is current or there is none."""
        return None if finished is None else self.outdated(finished.folder)


def execute(
    stage: Stage,
    run: Run,
    inputs: Mapping[StageName, str],
    *,
    settings: Settings,
    reporter: Reporter,
    force: bool = False,
) -> Manifest:
    """Execute a stage, or reuse its finished run; either way `latest` then points to that run.

    Args:
        inputs: stage name to key of the run that it reads.
        force: execute it even if a finished run is current.

    Raises:
        StageError: if the disk is full.
    """
    store = Store(settings.artifacts_root)
    output = _output(stage, store.runs(stage.name, run.dataset), stage.digest(run, inputs), force)
    folders = {name: store.runs(name, run.dataset).run(key).folder for name, key in inputs.items()}
    context = StageContext(run=run, settings=settings, inputs=folders, output=output)
    reserve_all(store.runs(name, run.dataset).run(key) for name, key in inputs.items())
    waiting = f"{output.runs}: waiting for another process that is running it"
    try:
        with output.lock(lambda: reporter.say(waiting)):
            reused = output.is_finished
            if not reused:
                reporter.started(stage.name, run.dataset)
                _make(stage, context, reporter)
            output.make_latest()
    except OSError as error:
        if error.errno in NO_SPACE:
            raise no_space(output, list(folders.values())) from error
        raise
    seconds = None if reused else output.manifest.seconds
    reporter.finished(stage.name, run.dataset, key=output.key, seconds=seconds)
    return output.manifest


def _output(stage: Stage, runs: StageRuns, digest: str, force: bool) -> StageRun:
    """The run to execute or to reuse."""
    newest = runs.newest(digest)
    if force or stage.why_outdated(newest):
        return runs.next(digest)
    return newest or runs.run(digest)


def _make(stage: Stage, context: StageContext, reporter: Reporter) -> None:
    """Do the work in the work folder and publish it."""
    attempts = _enter(stage, context)
    start = time.monotonic()
    work = stage.work(context)
    while True:
        try:
            reporter.update(next(work))
        except StopIteration as end:
            summary = end.value
            break
    manifest = Manifest(
        stage=stage.name,
        dataset=context.run.dataset,
        key=context.output.key,
        inputs=_input_keys(context),
        parameters=stage.parameters(context.run),
        version=stage.version,
        summary=summary,
        seconds=round(time.monotonic() - start, 3),
        attempts=attempts,
        created=now_stamp(),
        software={name: importlib.metadata.version(name) for name in SOFTWARE},
    )
    _publish(context.output, manifest)


def _publish(output: StageRun, manifest: Manifest) -> None:
    """Write the manifest, then rename the work folder; each once all before it is on the disk."""
    sync(output.work)
    manifest.save(output.work)
    sync_path(output.work / MANIFEST)
    for name in NOTES:
        (output.work / name).unlink(missing_ok=True)
    sync_path(output.work)
    output.work.replace(output.folder)
    sync_path(output.runs.folder)


def _enter(stage: Stage, context: StageContext) -> int:
    """Prepare the work folder; returns the number of this attempt."""
    if not stage.resumable:
        _remove_killed(context.output)
        shutil.rmtree(context.directory, ignore_errors=True)
    context.directory.mkdir(parents=True, exist_ok=True)
    counter = context.directory / ATTEMPTS
    attempts = 1 + (int(counter.read_text() or 0) if counter.exists() else 0)
    counter.write_text(str(attempts))
    if inputs := _input_keys(context):
        (context.directory / INPUTS).write_text(json.dumps(inputs))
    (context.directory / PARAMETERS).write_text(json.dumps(stage.parameters(context.run)))
    sweep(context.output.runs, datetime.now(UTC))
    return attempts


def _input_keys(context: StageContext) -> dict[str, str]:
    return {str(name): folder.name for name, folder in context.inputs.items()}


def _remove_killed(output: StageRun) -> None:
    """Delete the work folders of killed runs under other keys."""
    for left in output.runs.unfinished():
        if left == output:
            continue
        with left.lock_if_free() as is_free:
            if is_free:
                shutil.rmtree(left.work, ignore_errors=True)
