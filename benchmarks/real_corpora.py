"""The datasets that ship, made as a user makes them, from local copies of their repositories.

    python -m benchmarks.real_corpora MIRRORS [DATASET ...] [--keep FOLDER] [--twice]

MIRRORS holds a repository, bare or not, under OWNER+NAME for https://github.com/OWNER/NAME; git is
led there by `insteadOf` in a configuration of its own. Every stage is a process of its own, every
dataset has an artifacts root of its own. Prints a Markdown table; seconds are those of the stages,
memory is that of the largest process, Prefect and git among them.

With --twice every dataset is made again: another root, locale, time zone, hash seed, working
directory and umask, on one processor. What the corpus stage stored must be the same, byte by byte.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from corpora.corpus.parquet import LEDGER
from corpora.corpus.summary import CorpusSummary
from corpora.sources import FolderSource, GitSource
from corpora.spec import dataset_files, load_dataset
from flows.options import StageName
from flows.store.manifest import MANIFEST
from flows.store.runs import Store

FORGE = "https://github.com/"
STAGES: tuple[StageName, ...] = ("fetch", "corpus")
HEAD = (
    "| dataset | files seen, MB | kept, MB | near-copies | dropped "
    "| fetch + corpus, s | memory, MB | digest |\n|---|---|---|---|---|---|---|---|"
)


class TrialError(RuntimeError):
    """A command that failed, with its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process finds around it, and what must not matter to a corpus.

    Attributes:
        variables: laid over the environment.
        folder: working directory, None for this process's own.
        prepare: called in the child before it becomes `charmill`.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    prepare: Callable[[], object] | None = None


def _cramped() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.umask(0o077)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a command cost, with all processes that it waited for.

    Attributes:
        seconds: of CPU time.
        memory: MB of the largest process.
    """

    seconds: float
    memory: int


USUAL = Surroundings()
OTHER = Surroundings(
    variables={
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "271828",
        "TZ": "Pacific/Kiritimati",
    },
    folder="/",
    prepare=_cramped,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A dataset that was made.

    Attributes:
        folder: the corpus.
        seconds: working time of each stage.
        memory: of the largest process, MB.
    """

    folder: Path
    seconds: Sequence[float]
    memory: int


def make(dataset: str, root: Path, git_config: Path, around: Surroundings = USUAL) -> Trial:
    """Fetch a dataset and build its corpus under the artifacts root `root`."""
    store = Store(root)
    seconds, memory = [], 0
    folder = root
    for stage in STAGES:
        used = charmill(["run", dataset, "--only", stage], root, git_config, around)
        memory = max(memory, used.memory)
        last = store.runs(stage, dataset).last()
        folder = last.folder
        seconds.append(last.manifest.seconds)
    return Trial(folder=folder, seconds=seconds, memory=memory)


def stored(folder: Path) -> dict[str, str]:
    """Digest of every file of a corpus but the manifest, which tells the time."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }


def row(dataset: str, trial: Trial) -> str:
    """A line of the table."""
    summary = CorpusSummary.load(trial.folder)
    files, size = summary.seen
    last = summary.funnel[-1] if summary.funnel else None
    kept = (last.files_left, last.bytes_left) if last else (files, size)
    ledger = pq.read_table(trial.folder / LEDGER, columns=["cluster"])
    near = len(ledger) - ledger["cluster"].null_count
    dropped = ", ".join(f"{step.reason} {step.files_dropped:,}" for step in summary.funnel)
    cells = (
        dataset,
        f"{files:,}, {size / 1e6:,.1f}",
        f"{kept[0]:,}, {kept[1] / 1e6:,.1f}",
        f"{near:,}",
        dropped,
        " + ".join(f"{value:.1f}" for value in trial.seconds),
        f"{trial.memory:,}",
        f"`{summary.digest[:16]}`",
    )
    return f"| {' | '.join(cells)} |"


def repositories(dataset: str) -> list[str] | None:
    """OWNER/NAME of what a dataset is made of, None if it needs a service."""
    source = load_dataset(dataset).source
    if isinstance(source, FolderSource):
        return []
    if isinstance(source, GitSource):
        return [repository.url.removeprefix(FORGE) for repository in source.repositories]
    return None


@contextmanager
def mirrored(mirrors: Path) -> Iterator[Path]:
    """A git configuration that leads to the mirrors."""
    places = {path.name.replace("+", "/", 1): path.resolve() for path in mirrors.iterdir()}
    text = "".join(
        f'[url "file://{path}"]\n insteadOf = {FORGE}{name}\n' for name, path in places.items()
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "gitconfig")
        config.write_text(text, encoding="utf-8")
        yield config


def missing(dataset: str, mirrors: Path) -> str | None:
    """Why a dataset cannot be made here, None if it can."""
    wanted = repositories(dataset)
    if wanted is None:
        return "needs a service"
    absent = [name for name in wanted if not (mirrors / name.replace("/", "+")).exists()]
    return f"no mirror of {', '.join(absent)}" if absent else None


def main(arguments: Sequence[str]) -> int:
    """Make what was asked for and print the table; 1 if a corpus failed or came out in two ways."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_corpora")
    parser.add_argument("mirrors", type=Path)
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the artifacts there")
    parser.add_argument("--twice", action="store_true", help="make each again, in another place")
    asked = parser.parse_args(arguments)
    home = nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory()
    failed = []
    print(HEAD)
    with mirrored(asked.mirrors) as config, home as folder:
        for dataset in asked.datasets or dataset_files(()):
            root = Path(folder, dataset).resolve()
            try:
                _try(dataset, asked.mirrors, root, config, twice=asked.twice)
            except TrialError as error:
                failed.append(f"{dataset}: {error}")
    print("\nNot made:", *failed or ["none"], sep="\n\n")
    return 1 if failed else 0


def _try(dataset: str, mirrors: Path, root: Path, config: Path, *, twice: bool) -> None:
    absent = missing(dataset, mirrors)
    if absent:
        raise TrialError(absent)
    trial = make(dataset, root, config)
    print(row(dataset, trial), flush=True)
    if twice:
        again = make(dataset, root.with_name(f"{root.name}-again"), config, OTHER)
        if stored(trial.folder) != stored(again.folder):
            raise TrialError("not the same bytes the second time")


def charmill(
    arguments: Sequence[str], root: Path, git_config: Path, around: Surroundings = USUAL
) -> Used:
    """Run the command line.

    Raises:
        TrialError: if it fails.
    """
    variables = {"CHARMILL_ARTIFACTS": str(root), "GIT_CONFIG_GLOBAL": str(git_config)}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments],
        env={**os.environ, **variables, **around.variables},
        cwd=around.folder,
        preexec_fn=around.prepare,  # noqa: PLW1509 - there are no threads here
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    words = process.stderr.read().decode(errors="replace")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise TrialError(f"charmill {' '.join(arguments)}: {words.strip().splitlines()[-1]}")
    return Used(seconds=used.ru_utime + used.ru_stime, memory=used.ru_maxrss // 1024)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
