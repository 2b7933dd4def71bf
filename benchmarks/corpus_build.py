"""A corpus from a git repository, beside the pipeline of the old posts on the same machine.

    python -m benchmarks.corpus_build REPOSITORY EXTENSION [ROUNDS]

The old pipeline is `git clone` and `find -exec cat` into one file: no duplicates, no split, no
ledger. Ours is the fetch and the corpus stage, from clone to Parquet. Interleaved; prints wall
seconds of each round, the ratio of the medians, and the peak memory of our processes.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from corpora.build import build_corpus
from corpora.sources import GitSource
from corpora.spec import CorpusSpec
from corpora.summary import CorpusSummary


def old(repository: str, extension: str, folder: Path) -> None:
    """Clone with a work tree, then glue the files together."""
    checkout = folder / "checkout"
    subprocess.run(["git", "clone", "--quiet", repository, str(checkout)], check=True)
    command = ["find", str(checkout), "-name", f"*{extension}", "-exec", "cat", "{}", ";"]
    with (folder / "all.txt").open("wb") as sink:
        subprocess.run(command, check=True, stdout=sink)


def ours(repository: str, extension: str, folder: Path) -> CorpusSummary:
    """Fetch bare and shallow, then build; give the numbers of the corpus."""
    source = GitSource.model_validate({"kind": "git", "repositories": [{"url": repository}]})
    for _ in source.fetch(source.resolve(), folder):
        pass
    spec = CorpusSpec(extensions=(extension,), max_bytes=50_000_000)
    for _ in build_corpus(source.open(folder), spec, folder):
        pass
    return CorpusSummary.load(folder)


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
    peaks = [
        resource.getrusage(who).ru_maxrss // 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    print(f"ours / old: {ratio:.2f}; peak memory {peaks[0]} MB here, {peaks[1]} MB in a worker")
    print(summary.seen, summary.splits, summary.leak_before, summary.leak_after)
    for row in summary.funnel:
        print(row)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
