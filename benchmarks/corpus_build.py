"""A corpus from a git repository, compared with the pipeline of the old posts on the same machine.

    python -m benchmarks.corpus_build REPOSITORY EXTENSION [ROUNDS]
    python -m benchmarks.corpus_build --memory REPOSITORY EXTENSION ...

The old pipeline is `git clone` and `find -exec cat` into one file: no duplicates, no split, no
ledger. Ours is the fetch and the corpus stage, from clone to Parquet. Interleaved; prints wall
seconds of each round, the ratio of the medians, and the peak memory of our processes.

With --memory: the peak of the building process and of its largest worker, for samples of growing
size, each in processes of its own.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from corpora.build.corpus import build_corpus
from corpora.corpus.summary import CorpusSummary
from corpora.sources import GitSource
from corpora.spec import CorpusSpec

SAMPLES = (10_000_000, 100_000_000, 1_000_000_000)
"""Bytes of text."""
LARGEST = 50_000_000
"""Bytes of a file: none is left out for its size."""


def old(repository: str, extension: str, folder: Path) -> None:
    """Clone with a work tree, then glue the files together."""
    checkout = folder / "checkout"
    subprocess.run(["git", "clone", "--quiet", repository, str(checkout)], check=True)
    command = ["find", str(checkout), "-name", f"*{extension}", "-exec", "cat", "{}", ";"]
    with (folder / "all.txt").open("wb") as sink:
        subprocess.run(command, check=True, stdout=sink)


def ours(repository: str, extension: str, folder: Path) -> CorpusSummary:
    """Fetch bare and shallow, then build; give the numbers of the corpus."""
    source = fetched(repository, folder)
    spec = CorpusSpec(extensions=(extension,), max_bytes=LARGEST)
    for _ in build_corpus(source.open(folder), spec, folder):
        pass
    return CorpusSummary.load(folder)


def fetched(repository: str, folder: Path) -> GitSource:
    """Fetch a repository, bare and shallow."""
    source = GitSource.model_validate({"kind": "git", "repositories": [{"url": repository}]})
    for _ in source.fetch(source.resolve(), folder):
        pass
    return source


def peaks() -> tuple[int, int]:
    """The most memory of this process, and of the largest of its children, in MB."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    here, below = (resource.getrusage(who).ru_maxrss // 1024 for who in whose)
    return here, below


def build_sample(source: GitSource, folder: Path, spec: CorpusSpec) -> tuple[int, int, int, int]:
    """Build from what was fetched: documents, characters, and both peaks."""
    corpus = folder / f"sample-{spec.sample_bytes}"
    corpus.mkdir()
    for _ in build_corpus(source.open(folder), spec, corpus, workers=2):
        pass
    sizes = CorpusSummary.load(corpus).splits.values()
    counts = (sum(size.documents for size in sizes), sum(size.characters for size in sizes))
    return (*counts, *peaks())


def memory(repository: str, extensions: Sequence[str]) -> None:
    """Print the peaks for samples of growing size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = fetched(repository, folder)
        for size in SAMPLES:
            spec = CorpusSpec(extensions=tuple(extensions), sample_bytes=size)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                found = alone.submit(build_sample, source, folder, spec).result()
            print("{:,} documents, {:,} characters: {} MB, {} MB in a worker".format(*found))


def main(repository: str, extension: str, rounds: int = 3) -> None:
    """Run both pipelines in turn and print what they took."""
    pipelines = {"old": old, "ours": ours}
    seconds: dict[str, list[float]] = {name: [] for name in pipelines}
    summary = None
    for _ in range(rounds):
        for name, pipeline in pipelines.items():
            folder = Path(tempfile.mkdtemp())
            began = time.perf_counter()
            summary = pipeline(repository, extension, folder) or summary
            seconds[name].append(time.perf_counter() - began)
            shutil.rmtree(folder)
    assert summary
    for name, values in seconds.items():
        print(f"{name:<5} {', '.join(f'{value:.1f}' for value in values)} s")
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["old"])
    here, below = peaks()
    print(f"ours / old: {ratio:.2f}; peak memory {here} MB here, {below} MB in a worker")
    print(summary.seen, summary.splits, summary.leak_before, summary.leak_after)
    for row in summary.funnel:
        print(row)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"] and len(sys.argv) > 3:
        memory(sys.argv[2], sys.argv[3:])
    elif 3 <= len(sys.argv) <= 4:
        main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
    else:
        sys.exit(__doc__)
