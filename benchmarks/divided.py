"""One dataset of many repositories on every runner: same bytes, seconds, memory.

    python -m benchmarks.divided FOLDER [NUMBER] [--runners threads dask ray] [--workers 1 2 4]

Makes NUMBER small repositories (300) with copies of one another's files under FOLDER, and builds
their corpus with each runner and number of workers, from fetch to Parquet, as `charmill build`
does. Prints a Markdown row for each; exits with 1 if two corpora differ. Seconds include starting
Prefect and the engine; memory is that of the largest process.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from corpora.corpus.summary import CorpusSummary
from flows.store.manifest import MANIFEST
from flows.store.runs import Store
from tests.corpora.build.repositories import dataset_of, make_repositories

DATASET = "many"


def prepare(folder: Path, number: int) -> None:
    """Make the repositories and their dataset, unless they are there."""
    toml = folder / "datasets" / f"{DATASET}.toml"
    if not toml.exists():
        (folder / "repositories").mkdir(parents=True)
        made = make_repositories(folder / "repositories", number)
        toml.parent.mkdir()
        toml.write_text(dataset_of(made), encoding="utf-8")


def build(folder: Path, runner: str, workers: int) -> tuple[str, float, float]:
    """Build in an artifacts root that is new.

    Returns:
        The digest of all files of the corpus but the manifest, wall seconds, CPU-seconds of this
        machine's processes that have ended.
    """
    root = folder / f"{runner}-{workers}"
    variables = {
        "CHARMILL_ARTIFACTS": str(root.resolve()),
        "CHARMILL_DATASETS": str((folder / "datasets").resolve()),
    }
    command = [sys.executable, "-m", "flows.cli", "build", DATASET]
    options = ["--runner", runner, "--workers", str(workers)]
    began, before = time.perf_counter(), _cpu_seconds()
    subprocess.run(
        [*command, *options], env=os.environ | variables, check=True, capture_output=True
    )
    corpus = Store(root).runs("corpus", DATASET).last().folder
    assert CorpusSummary.load(corpus).seen[0] > 0
    whole = hashlib.sha256()
    for path in sorted(corpus.iterdir()):
        if path.name != MANIFEST:
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest(), time.perf_counter() - began, _cpu_seconds() - before


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str]) -> int:
    """Build with every combination and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.divided")
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", nargs="?", type=int, default=300)
    parser.add_argument("--runners", nargs="+", default=["threads", "dask", "ray"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    asked = parser.parse_args(arguments)
    prepare(asked.folder, asked.number)
    digests = set()
    print("| runner | workers | s | CPU-s | largest process so far, MB | digest |")
    print("|---|--:|--:|--:|--:|---|")
    for runner in asked.runners:
        for workers in asked.workers:
            digest, seconds, cpu = build(asked.folder, runner, workers)
            largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            cells = (runner, workers, f"{seconds:.0f}", f"{cpu:.0f}", largest, f"`{digest[:16]}`")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            digests.add(digest)
    return 1 if len(digests) > 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
