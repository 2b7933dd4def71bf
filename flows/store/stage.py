"""Execute a stage once, publish its output atomically, and never write to it again.

A run's key is the digest of the keys of its inputs, of the parameters that matter to the stage and
of the version of its code. The work happens in a work folder; when all of it is on the disk,
manifest last, one rename publishes it. A lock per key, released however its process ends, keeps
two processes from executing the same run. A killed process leaves its work folder: a resumable
stage continues in it, any other starts over.
"""

import errno
import importlib.metadata
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from flows.options import Run, StageName
from flows.progress import Reporter
from flows.store.disk import no_space, sync
from flows.store.integrity import damage, examine, faults, list_faults, shown
from flows.store.leftovers import sweep
from flows.store.manifest import MANIFEST, Manifest, key_digest, record_files
from flows.store.protection import reserve_all
from flows.store.runs import SET_ASIDE, StageRun, StageRuns, Store
from system.clock import now_stamp
from system.files import make_folder, rename_aside, sync_path
from system.pool import Pool
from system.progress import Progress
from system.settings import Settings

ATTEMPTS = ".attempts"
INPUTS = ".inputs"
PARAMETERS = ".parameters"
NOTES = (ATTEMPTS, INPUTS, PARAMETERS, f"{MANIFEST}.partial")
"""Files about a run in progress, in its work folder only. A process that was killed in
`Manifest.save` leaves the last one."""
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SOFTWARE = ("charmill", "torch", "numpy", "pyarrow", "prefect")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What a stage works with.

    Attributes:
        run: settings of all stages.
        inputs: stage name to folder of the run that it reads.
        output: the run in progress.
        workers: those that several stages share; None for processes of this machine as needed.
    """

    run: Run
    settings: Settings
    inputs: Mapping[str, Path]
    output: StageRun
    workers: Pool | None = None

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
        reproducible: whether the same key always gives the same content: a run made again because
            it was damaged takes its old place, and what was derived from it stays current.
        outdated: why a finished run must be repeated although its key is current, else None.
    """

    name: StageName
    version: int
    inputs: tuple[StageName, ...]
    parameters: Callable[[Run], dict[str, Any]]
    work: Work
    resumable: bool = False
    reproducible: Callable[[Run], bool] = lambda _run: False
    outdated: Callable[[Path], str | None] = lambda _folder: None

    def digest(self, run: Run, inputs: Mapping[StageName, str]) -> str:
        """The key of the first run of this stage on `inputs`."""
        return key_digest(self.name, self.version, self.parameters(run), inputs)

    def choose(self, keys: Mapping[StageName, str]) -> dict[StageName, str]:
        """Those of `keys`, of all earlier stages, that this stage reads."""
        return {name: keys[name] for name in self.inputs}

    def why_outdated(self, finished: StageRun | None) -> str | None:
        """Why a finished run must be repeated; None if it is current or there is none."""
        return None if finished is None else self.outdated(finished.folder)

    def decide(self, run: Run, runs: StageRuns, digest: str, *, force: bool) -> "Choice":
        """Choose the run to reuse or to make.

        Presence and sizes of files are checked; under `force`, digests too, so that damage which
        only those show is mended by the same command as any other.

        Raises:
            DamageError: if a file is in the newest run that does not belong there.
        """
        # In this order: what another process publishes in between must not be made a second time.
        following = runs.next(digest)
        newest = runs.newest_folder(digest)
        if newest is None:
            first = runs.run(digest)
            why = f"the folder {digest} holds another run" if first.is_foreign else ""
            why = f"the folder {digest} is a link" if first.folder.is_symlink() else why
            return Choice(run=first if self.reproducible(run) else following, why=why)
        if found := list_faults(newest) if force else faults(newest):
            if all(fault.is_surplus for fault in found):
                raise damage(newest, found)
            place = newest if self.reproducible(run) else following
            return Choice(run=place, why=f"damaged: {shown(found)}", damaged=newest)
        if why := "forced" if force else self.why_outdated(newest):
            return Choice(run=following, why=why)
        return Choice(run=newest, is_current=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The run of a stage to reuse or to make.

    Attributes:
        why: why it is made although a run with its digest exists; "" if none does.
        damaged: the run that it replaces, and whose folder is set aside.
    """

    run: StageRun
    is_current: bool = False
    why: str = ""
    damaged: StageRun | None = None


def execute(
    stage: Stage,
    run: Run,
    inputs: Mapping[StageName, str],
    *,
    settings: Settings,
    reporter: Reporter,
    force: bool = False,
    workers: Pool | None = None,
) -> Manifest:
    """Execute a stage, or reuse its finished run; either way `latest` then points to that run.

    Args:
        inputs: stage name to key of the run that it reads.
        force: execute it even if a finished run is current.
        workers: for the parts of its work.

    Raises:
        StageError: if the disk is full.
    """
    store = Store(settings.artifacts_root)
    runs = store.runs(stage.name, run.dataset)
    choice = stage.decide(run, runs, stage.digest(run, inputs), force=force)
    output = choice.run
    read = {name: store.runs(name, run.dataset).run(key) for name, key in inputs.items()}
    folders = {name: one.folder for name, one in read.items()}
    context = StageContext(
        run=run, settings=settings, inputs=folders, output=output, workers=workers
    )
    reserve_all(read.values())
    waiting = f"{output.runs}: waiting for another process that is running it"
    with _explaining_full_disk(context), output.lock(lambda: reporter.say(waiting)):
        # Another process may have made it, or mended it, since it was chosen.
        reused = output.is_finished and not (list_faults if force else faults)(output)
        if not reused:
            reporter.started(stage.name, run.dataset)
            _make(stage, context, reporter, choice.damaged)
        output.make_latest()
    finished = runs.run(output.key).manifest  # read afresh: it may have replaced a damaged one
    seconds = None if reused else finished.seconds
    reporter.finished(stage.name, run.dataset, key=output.key, seconds=seconds)
    return finished


@contextmanager
def _explaining_full_disk(context: StageContext) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            folders = list(context.inputs.values())
            raise no_space(context.output, folders, error.errno) from error
        raise


def _verified_work(
    stage: Stage, context: StageContext
) -> Generator[Progress, None, dict[str, Any]]:
    """Verify every file of the inputs, then do the work.

    Raises:
        DamageError: if an input is damaged.
    """
    for name, folder in context.inputs.items():
        read = context.store.runs(cast("StageName", name), context.run.dataset).run(folder.name)
        if found := (yield from examine(read)):
            raise damage(read, found)
    return (yield from stage.work(context))


def _make(
    stage: Stage, context: StageContext, reporter: Reporter, damaged: StageRun | None
) -> None:
    """Do the work in the work folder and publish it; set aside what it replaces."""
    attempts = _enter(stage, context)
    if stage.resumable and attempts > 1:
        name = f"{stage.name} of {context.run.dataset}"
        reporter.say(f"{name}: resumes an interrupted run, attempt {attempts}")
    start = time.monotonic()
    work = _verified_work(stage, context)
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
    _publish(context.output, manifest, damaged)


def _publish(output: StageRun, manifest: Manifest, damaged: StageRun | None) -> None:
    """Write the manifest, then rename the work folder; each once all before it is on the disk."""
    sync(output.work)
    files = {n: one for n, one in record_files(output.work).items() if n not in NOTES}
    replace(manifest, files=files).save(output.work)
    for name in NOTES:
        (output.work / name).unlink(missing_ok=True)
    sync_path(output.work)
    for replaced in {output, damaged or output}:
        if replaced.folder.exists() or replaced.folder.is_symlink():
            rename_aside(replaced.folder, SET_ASIDE)
    output.work.rename(output.folder)
    sync_path(output.runs.folder)


def _enter(stage: Stage, context: StageContext) -> int:
    """Prepare the work folder; returns the number of this attempt."""
    if not stage.resumable:
        _remove_killed(context.output)
        shutil.rmtree(context.directory, ignore_errors=True)
    make_folder(context.directory)
    counter = context.directory / ATTEMPTS
    attempts = 1
    with suppress(OSError, ValueError):  # the first one, or a power cut
        attempts += int(counter.read_bytes())
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
