"""Verify every run of the store, for `charmill verify`: sizes, digests, manifests and keys."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from flows.errors import DamageError, StageError
from flows.options import StageName
from flows.store.forget import FORGOTTEN
from flows.store.integrity import Fault, examine, remedy
from flows.store.manifest import KEY, MANIFEST
from flows.store.runs import LATEST, StageRun, StageRuns, Store
from system.progress import Progress

Outcome = Literal["ok", "no digests", "damaged", "later version", "set aside", "not a run"]
WITHOUT_KEY = Fault(
    name=MANIFEST, problem="its inputs, parameters and version are not those of its key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in one folder of the store.

    Attributes:
        key: name of the folder.
        faults: one line per damaged file.
        advice: what to do; "" if nothing.
    """

    dataset: str
    stage: StageName
    key: str
    outcome: Outcome
    faults: tuple[str, ...] = ()
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return asdict(self)


def verify(store: Store, datasets: Sequence[str]) -> Generator[Progress, None, list[Verification]]:
    """Verify all runs of some datasets, not only the last ones; reads every file once."""
    all_runs = [runs for dataset in datasets for runs in store.stages(dataset)]
    found, done = [], 0
    total = sum(_bytes(run) for runs in all_runs for run in runs.folders())
    for runs in all_runs:
        for run in sorted(runs.folders(), key=lambda run: run.key):
            steps = _verify_run(run)
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    found.append(end.value)
                    break
                yield Progress(done=done + step.done, total=total, unit="bytes", note=str(runs))
            done += _bytes(run)
            yield Progress(done=done, total=total, unit="bytes", note=f"{runs}, {run.key}")
        found += _others(runs)
    return found


def _verify_run(run: StageRun) -> Generator[Progress, None, Verification]:
    """Verify what has the name of a run."""
    if run.is_foreign and run.runs.latest != run:
        found = run.manifest
        why = f"its manifest is that of {found.stage} of {found.dataset}, {found.key}"
        return _of(run.runs, run.key, "not a run", f"a copy? {why}")
    try:
        found = yield from examine(run)
        if not found and not run.manifest.has_true_key:
            found.append(WITHOUT_KEY)
    except DamageError as error:  # it was removed meanwhile
        found = [Fault(name=MANIFEST, problem=str(error))]
    except StageError as error:
        return _of(run.runs, run.key, "later version", str(error))
    if found:
        lines = tuple(map(str, found))
        return _of(run.runs, run.key, "damaged", remedy(run, found), faults=lines)
    return _of(run.runs, run.key, "no digests" if run.manifest.files is None else "ok")


def _others(runs: StageRuns) -> Iterator[Verification]:
    """What else is in the folder of a stage, except for unfinished runs."""
    for path in runs.set_aside():
        advice = "delete it when nothing in it is needed"
        yield _of(runs, path.name, "set aside", advice)
    for path in sorted(runs.folder.glob("[!.]*")):
        if path.name == LATEST:
            if path.is_dir() and not path.is_symlink():
                yield _of(runs, LATEST, "not a run", "a folder instead of a link")
            elif (last := runs.linked) and last not in runs.folders():
                what = "a link" if last.folder.is_symlink() else "gone"
                found = [Fault(name=last.key, problem=f"the folder of the last run is {what}")]
                advice = remedy(last, found)
                yield _of(runs, LATEST, "damaged", advice, faults=tuple(map(str, found)))
        elif path.is_symlink():
            yield _of(runs, path.name, "not a run", "ignored; a link to a run is none")
        elif not KEY.fullmatch(path.name) and path.name != FORGOTTEN:
            yield _of(runs, path.name, "not a run", "ignored; its name is not the key of a run")


def _of(
    runs: StageRuns, key: str, outcome: Outcome, advice: str = "", *, faults: tuple[str, ...] = ()
) -> Verification:
    return Verification(
        dataset=runs.dataset,
        stage=runs.stage,
        key=key,
        outcome=outcome,
        faults=faults,
        advice=advice,
    )


def _bytes(run: StageRun) -> int:
    """The size of a run as its manifest records it."""
    try:
        return sum(one.bytes for one in (run.manifest.files or {}).values())
    except StageError:
        return 0
