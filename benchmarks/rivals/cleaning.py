"""A corpus from a repository, without near-copies: charmill's corpus stage and datatrove.

    python -m benchmarks.rivals.cleaning FOLDER EXTENSION

Both begin with what git has fetched, drop files by size, encoding, lines and letters, then copies
and near-copies, and write Parquet, in one process without helpers. Only charmill recognises
generated files, secrets and licences, verifies near-copies, keeps a ledger, and holds texts out.
datatrove runs in an environment of its own. The command above is charmill's side of it.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.corpus_build import fetched
from benchmarks.rivals import datatrove_pipeline
from benchmarks.rivals.cells import Figures
from benchmarks.rivals.idle import Program, Spent, spend
from corpora.build.corpus import build_corpus
from corpora.corpus.summary import CorpusSummary
from corpora.sources import GitSource
from corpora.spec import CorpusSpec

PART = "cleaning"
ROUNDS = 3
REPOSITORY, EXTENSION = "numpy/numpy", ".py"
OURS, DATATROVE = "charmill", "datatrove"
SIZES = ("documents", "characters")


def build(folder: Path, extension: str) -> None:
    """Build a corpus in FOLDER/corpus from the clone at FOLDER/repository."""
    source = GitSource.model_validate(
        {"kind": "git", "repositories": [{"url": str(folder / "repository")}]}
    )
    spec = CorpusSpec(extensions=(extension,), near_duplicates="drop")
    for _ in build_corpus(source.open(folder / "fetched"), spec, folder / "corpus", workers=1):
        pass


def rounds(repository: Path, datatrove: Path, number: int = ROUNDS) -> Figures:
    """Medians by "rival, measure", interleaved.

    Args:
        repository: a clone, bare or not.
        datatrove: a Python that has it.

    Raises:
        TrialError: if one of them fails.
    """
    spent: dict[str, list[Spent]] = {OURS: [], DATATROVE: []}
    counts: dict[str, Figures] = {}
    for _ in range(number):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            commands = _prepared(folder, repository, datatrove)
            for rival, command in commands.items():
                spent[rival].append(spend(Program(command=command, folder=Path.cwd()), {}))
            counts = {OURS: _ours(folder / "corpus"), DATATROVE: _theirs(folder / "out" / "kept")}
    found = {}
    for rival, each in spent.items():
        found[f"{rival}, wall"] = statistics.median(one.wall for one in each)
        found[f"{rival}, cpu"] = statistics.median(one.cpu for one in each)
        found |= {f"{rival}, {name}": count for name, count in counts[rival].items()}
    return found


def _prepared(folder: Path, repository: Path, datatrove: Path) -> dict[str, Sequence[str]]:
    """Give both what they begin with: a bare clone, and a work tree; and their commands."""
    (folder / "repository").symlink_to(repository.resolve())
    for name in ("fetched", "corpus"):
        (folder / name).mkdir()
    fetched(str(folder / "repository"), folder / "fetched")
    tree = folder / "tree"
    clone = ["git", "clone", "--quiet", "--depth", "1", f"file://{repository.resolve()}", str(tree)]
    subprocess.run(clone, check=True)
    script = datatrove_pipeline.__file__
    return {
        OURS: [sys.executable, "-m", __spec__.name, str(folder), EXTENSION],
        DATATROVE: [str(datatrove), script, str(tree), EXTENSION, str(folder / "out")],
    }


def _ours(corpus: Path) -> Figures:
    sizes = CorpusSummary.load(corpus).splits.values()
    return {
        "documents": sum(size.documents for size in sizes),
        "characters": sum(size.characters for size in sizes),
    }


def _theirs(folder: Path) -> Figures:
    texts = [
        text
        for path in sorted(folder.glob("*.parquet"))
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist()
    ]
    return {"documents": len(texts), "characters": sum(map(len, texts))}


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2])
