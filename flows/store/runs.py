"""The artifact store: the runs of every stage of every dataset, and where their files are.

<root>/<stage>/<dataset>/<key>/        a finished run; never written to again
<root>/<stage>/<dataset>/latest        link to the run that was made or reused last
<root>/<stage>/<dataset>/.work-<key>/  a run in progress, or the files of a killed one
<root>/<stage>/<dataset>/.failed       why the last attempt failed, until the next success
<root>/<stage>/<dataset>/.damaged-*    a damaged run that was made again, kept for rescue
<root>/.locks/                         one lock per run, and per device that trains
<root>/.prefect/                       Prefect's home: its database and settings

"The last run" of a stage is what `latest` points to, "the one before" is the newest of the others.
Age is the `created` of a manifest: `cp -r` and `rsync` change the times of folders.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from flows.errors import StageError
from flows.options import STAGE_NAMES, StageName
from flows.store.locking import holding, holding_if_free
from flows.store.manifest import KEY, MANIFEST, Manifest, run_number
from system.files import rename_aside, sync_path

LATEST = "latest"
WORK = ".work-"
SET_ASIDE = ".damaged-"
MAX_LISTED = 10
UNDATED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Store:
    """The artifact store below one root folder."""

    root: Path

    def runs(self, stage: StageName, dataset: str) -> "StageRuns":
        """The runs of a stage of a dataset."""
        return StageRuns(self, stage, dataset)

    def stages(self, dataset: str) -> "list[StageRuns]":
        """The runs of every stage of a dataset, in the order of the stages."""
        return [self.runs(stage, dataset) for stage in STAGE_NAMES]

    def datasets(self) -> list[str]:
        """Names of all datasets for which any stage was ever started."""
        folders = (path for stage in STAGE_NAMES for path in (self.root / stage).glob("[!.]*"))
        return sorted({path.name for path in folders if path.is_dir()})

    def lock(self, name: str) -> Path:
        """The file of a lock."""
        return self.root / ".locks" / f"{name}.lock"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home."""
        return self.root / ".prefect"


@dataclass(frozen=True, slots=True)
class StageRuns:
    """The runs of one stage of one dataset."""

    store: Store
    stage: StageName
    dataset: str

    def __str__(self) -> str:
        return f"{self.stage} of {self.dataset}"

    def run(self, key: str) -> "StageRun":
        """The run with this key, which need not exist."""
        return StageRun(self, key)

    @property
    def folder(self) -> Path:
        """The folder that holds all of them."""
        return self.store.root / self.stage / self.dataset

    @property
    def failure_record(self) -> Path:
        """Why the last attempt failed; absent after a success."""
        return self.folder / ".failed"

    def finished(self, *, copies: bool = False) -> "list[StageRun]":
        """All finished runs, oldest first; those with a damaged manifest are the oldest.

        Args:
            copies: include folders that are copies of other runs, made by hand.
        """
        return sorted(self._finished(copies=copies), key=_age)

    def keys(self) -> list[str]:
        """The keys of all finished runs, oldest first."""
        return [run.key for run in self.finished()]

    def unfinished(self) -> "list[StageRun]":
        """Runs in progress, and runs that were killed, in the order of their keys."""
        return [
            self.run(path.name.removeprefix(WORK)) for path in sorted(self.folder.glob(f"{WORK}*"))
        ]

    def set_aside(self) -> list[Path]:
        """Folders of damaged runs that were made again."""
        return sorted(self.folder.glob(f"{SET_ASIDE}*"))

    def newest(self, digest: str) -> "StageRun | None":
        """The newest finished run with this digest, forced ones included."""
        same = (run for run in self._finished() if run.digest == digest)
        return max(same, key=lambda run: run_number(run.key), default=None)

    def newest_folder(self, digest: str) -> "StageRun | None":
        """The newest run with this digest that has a folder, even if that has no manifest."""
        same = (run for run in self.folders() if run.digest == digest and not run.is_foreign)
        return max(same, key=lambda run: run_number(run.key), default=None)

    def next(self, digest: str) -> "StageRun":
        """The run that will be made next with this digest; its key was never used before."""
        keys = [run.key for run in self.folders()]
        keys += [path.name.removeprefix(SET_ASIDE).partition(".")[0] for path in self.set_aside()]
        numbers = [run_number(key) for key in keys if key.partition("-")[0] == digest]
        return self.run(f"{digest}-{max(numbers) + 1}" if numbers else digest)

    @property
    def linked(self) -> "StageRun | None":
        """The run that `latest` points to, even if it was removed or lost its manifest."""
        link = self.folder / LATEST
        return self.run(link.readlink().name) if link.is_symlink() else None

    @property
    def latest(self) -> "StageRun | None":
        """The run that `latest` points to, None if there is none or it was removed."""
        run = self.linked
        return run if run and run.is_finished else None

    def last(self) -> "StageRun":
        """The run that `latest` points to, which may be damaged.

        Raises:
            StageError: if the stage was never finished.
        """
        if linked := self.linked:
            return linked
        raise StageError(
            f"{self.dataset}: nothing from {self.stage} yet; make it with "
            f"`charmill run {self.dataset}`"
        )

    def find(self, beginning: str) -> "StageRun":
        """The finished run whose key is `beginning`, or the only one whose key starts with it.

        Raises:
            StageError: if there is no such run or several; lists the keys that exist.
        """
        finished = self.finished()
        exact = [run for run in finished if run.key == beginning]
        matching = exact or [run for run in finished if beginning and run.key.startswith(beginning)]
        if len(matching) == 1:
            return matching[0]
        problem = f"{len(matching)} runs" if matching else "no run"
        raise StageError(
            f"{self.dataset}: {problem} of {self.stage} with a key that starts with {beginning!r}; "
            f"there are: {_listed(matching or finished)}"
        )

    def pair(self, old: str | None = None, new: str | None = None) -> "tuple[StageRun, StageRun]":
        """Two runs to compare, each named by the beginning of its key.

        Without `new` the last run, without `old` the newest of the others.

        Raises:
            StageError: if one is missing, ambiguous, of unknown age, or both are the same.
        """
        after = self.find(new) if new else self.linked
        others = [run for run in self.finished() if run != after]
        undated = [run.key for run in others if _age(run)[0] == UNDATED]
        undated += [run.key for run in self.folders() if not run.is_finished and run != after]
        if undated and not old:
            raise StageError(
                f"{self.dataset}: {self.stage} {', '.join(undated)} has no readable manifest and "
                f"may be the newest but one, so name two by their keys: {_listed(self.finished())}"
            )
        before = self.find(old) if old else (others[-1] if others else None)
        if after is None or before is None or before == after:
            raise StageError(
                f"{self.dataset}: needs two runs of {self.stage} to compare; there are: "
                f"{_listed(self.finished())}"
            )
        return before, after

    def folders(self) -> "Iterator[StageRun]":
        """Everything that has the name of a run, in no particular order."""
        for path in self.folder.glob("[!.]*"):
            if path.name != LATEST and KEY.fullmatch(path.name) and not path.is_symlink():
                yield self.run(path.name)

    def _finished(self, *, copies: bool = False) -> "Iterator[StageRun]":
        """All finished runs, in no particular order."""
        for run in self.folders():
            if run.is_finished and (copies or not run.is_foreign):
                yield run


@dataclass(frozen=True)
class StageRun:
    """One run of a stage of a dataset: finished, in progress, or still to be made."""

    runs: StageRuns
    key: str

    @property
    def folder(self) -> Path:
        """Where the finished run is."""
        return self.runs.folder / self.key

    @property
    def work(self) -> Path:
        """Where the run is made; the same for every attempt, so that a killed one can resume."""
        return self.runs.folder / f"{WORK}{self.key}"

    @property
    def digest(self) -> str:
        """The key without the number of a forced run."""
        return self.key.partition("-")[0]

    @property
    def is_finished(self) -> bool:
        """Whether the run is complete: its manifest is written last. A link to a run is none."""
        return (self.folder / MANIFEST).is_file() and not self.folder.is_symlink()

    @property
    def is_foreign(self) -> bool:
        """Whether its intact manifest is that of another run: its folder is a copy made by hand.

        A run of another dataset may have the same key, if both name the same source.
        """
        try:
            found = self.manifest
        except StageError:
            return False
        place = (self.runs.stage, self.runs.dataset, self.key)
        return (found.stage, found.dataset, found.key) != place

    @cached_property
    def manifest(self) -> Manifest:
        """The record of the finished run.

        Raises:
            DamageError: if it is missing or damaged; names the file.
            StageError: if a later version of charmill wrote it.
        """
        return Manifest.load(self.folder)

    def make_latest(self) -> None:
        """Point `latest` here, atomically, and remove the record of an earlier failure.

        A folder of that name, left by a copy that followed links, is set aside.
        """
        self.runs.failure_record.unlink(missing_ok=True)
        if self.runs.latest == self:
            return
        link = self.runs.folder / LATEST
        if link.is_dir() and not link.is_symlink():
            rename_aside(link, SET_ASIDE)
        temporary = link.with_name(f".{LATEST}-{self.key}")
        # Another process, alive or killed, can only have made the same link.
        with suppress(FileExistsError):
            temporary.symlink_to(self.key)
        with suppress(FileNotFoundError):
            temporary.replace(link)
        sync_path(link.parent)

    def lock(self, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock of whoever makes this run; `on_wait` is called once if it is held."""
        return holding(self._lock_path, on_wait)

    def lock_if_free(self) -> AbstractContextManager[bool]:
        """Hold the lock if no process holds it; yields whether it is held now."""
        return holding_if_free(self._lock_path)

    @property
    def is_locked(self) -> bool:
        """Whether a process is making this run."""
        if not self._lock_path.exists():
            return False
        with self.lock_if_free() as is_free:
            return not is_free

    @property
    def _lock_path(self) -> Path:
        return self.runs.store.lock(f"{self.runs.stage}-{self.runs.dataset}-{self.key}")


def _age(run: StageRun) -> tuple[datetime, int, str]:
    """Sorts runs by age; `created` counts seconds, so forced runs are ordered by their number."""
    try:
        created = datetime.fromisoformat(run.manifest.created).astimezone(UTC)
    except (StageError, ValueError, TypeError, OverflowError):
        created = UNDATED
    return created, run_number(run.key), run.key


def _listed(runs: Sequence[StageRun]) -> str:
    """The newest keys, oldest first."""
    left_out = f"{len(runs) - MAX_LISTED} older, " if len(runs) > MAX_LISTED else ""
    return left_out + (", ".join(run.key for run in runs[-MAX_LISTED:]) or "none")
