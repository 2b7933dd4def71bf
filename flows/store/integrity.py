"""Whether the files of a finished run are still those that were published.

Planning compares presence and size of every file with the manifest (`faults`). Whoever reads a file
has its digest compared first (`verified`). A damaged run is made again, and its folder set aside:
what can still be rescued is never deleted. Runs of earlier versions have no digests and pass.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flows.errors import DamageError
from flows.store.manifest import MANIFEST
from flows.store.runs import StageRun
from system.files import sha256_of
from system.progress import Progress

FOREIGN_NAMES = {"Thumbs.db", "desktop.ini"}
"""Files that file managers leave in any folder, besides those that begin with a dot."""
SHOWN = 3
REPORTED_BYTES = 2**26
"""Progress is reported after so much was hashed: about every 0.1 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one file of a run.

    Attributes:
        name: its path below the folder of the run.
        is_surplus: whether the run has no such file.
    """

    name: str
    problem: str
    is_surplus: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def faults(run: StageRun) -> list[Fault]:
    """Files that are missing, of another size, or not of this run; contents are not read."""
    if run.folder.is_symlink():
        return [Fault(name=MANIFEST, problem="its folder is a link")]
    try:
        records = run.manifest.files
    except DamageError as error:
        problem = str(error).removeprefix(f"{run.folder / MANIFEST}: ")
        return [Fault(name=MANIFEST, problem=problem)]
    if run.is_foreign:
        found = run.manifest
        other = f"is that of {found.stage} of {found.dataset}, {found.key}"
        return [Fault(name=MANIFEST, problem=other)]
    if records is None:
        return []
    sizes = dict(_sizes(run.folder))
    found = []
    for name, record in records.items():
        size = sizes.pop(name, None)
        if size is None:
            found.append(Fault(name=name, problem="missing"))
        elif size != record.bytes:
            found.append(
                Fault(name=name, problem=f"has {size:,} bytes instead of {record.bytes:,}")
            )
    surplus = (name for name in sorted(sizes) if not _is_ignored(name))
    return found + [
        Fault(name=name, problem="is no file of this run", is_surplus=True) for name in surplus
    ]


def examine(run: StageRun, *names: str) -> Generator[Progress, None, list[Fault]]:
    """Compare all files of a run, or those named, with the manifest; returns what is wrong."""
    found = [fault for fault in faults(run) if not names or fault.name in (*names, MANIFEST)]
    known_bad = {fault.name for fault in found}
    records = {} if MANIFEST in known_bad else run.manifest.files or {}
    chosen = {n: r for n, r in records.items() if n not in known_bad and (not names or n in names)}
    total, done, reported = sum(record.bytes for record in chosen.values()), 0, 0
    for name, record in chosen.items():
        try:
            if _digest_now(run.folder / name) != record.sha256:
                found.append(Fault(name=name, problem="its content has changed"))
        except OSError as error:
            found.append(Fault(name=name, problem=f"cannot be read: {error.strerror}"))
        done += record.bytes
        if done - reported >= REPORTED_BYTES:
            reported = done
            yield Progress(done=done, total=total, unit="bytes", note=f"verifying {run.runs}")
    return found


def verified(run: StageRun, *names: str) -> Path:
    """The folder of a run, all of whose files, or those named, are as they were published.

    Raises:
        DamageError: if one is not; names the first, and the command that makes it again.
    """
    if found := list_faults(run, *names):
        raise damage(run, found)
    return run.folder


def list_faults(run: StageRun, *names: str) -> list[Fault]:
    """What `examine` returns."""
    steps = examine(run, *names)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def damage(run: StageRun, found: Sequence[Fault]) -> DamageError:
    """The error for a damaged run: the first fault, and what to do."""
    first = found[0]
    more = f" (and {len(found) - 1} more files)" if len(found) > 1 else ""
    return DamageError(f"{run.folder / first.name}: {first.problem}{more}; {remedy(run, found)}")


def remedy(run: StageRun, found: Sequence[Fault]) -> str:
    """What the user can do about a damaged run."""
    runs = run.runs
    if all(fault.is_surplus for fault in found):
        return "move it elsewhere"
    if runs.linked not in (run, None):
        return "restore it from a copy, or delete its folder if nothing needs this run"
    extent = "--only" if runs.stage in ("fetch", "corpus") else "--from"
    return (
        f"make it again with `charmill run {runs.dataset} {extent} {runs.stage} --force` "
        "and the options that it was made with"
    )


def shown(found: Sequence[Fault]) -> str:
    """The first faults in one line."""
    more = f" ... and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(map(str, found[:SHOWN])) + more


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """The path and size of every file below a folder but its manifest."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path != folder / MANIFEST and path.is_file():
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def _is_ignored(name: str) -> bool:
    base = name.rpartition("/")[2]
    return base.startswith(".") or base in FOREIGN_NAMES


def _digest_now(path: Path) -> str:
    state = path.stat()
    return _digest(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _digest(path: Path, inode: int, size: int, modified: int) -> str:
    """The digest of a file, computed once per process while its state does not change."""
    return sha256_of(path)
