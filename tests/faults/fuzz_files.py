"""Damaged copies of the files that charmill wrote, given to the code that reads them."""

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import torch

from corpora.corpus import ledger
from corpora.corpus.parquet import read_character_counts, read_documents, read_split
from corpora.corpus.summary import CorpusSummary
from corpora.document import SPLITS
from corpora.sources import FolderSource, GithubAccountSource, UrlSource
from evaluation.evidence import load_evidence
from evaluation.report.render import load_report
from flows.options import Options
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.manifest import Manifest
from flows.store.runs import Store
from flows.store.stage import execute
from flows.store.status import load_failure, verdict
from modeling.checkpoint import Checkpoint, load_checkpoint, load_model, save_checkpoint
from modeling.engines.engine_cache import recall
from modeling.inference.samples import read_samples
from modeling.training.learning_curve import MetricsLog, read_metrics
from modeling.vocab import Vocabulary
from tests.faults.fuzzing import INPUTS, bounded
from tests.faults.mutation import mutated, mutated_json
from tests.faults.table import Fault
from tests.flows.conftest import make_tiny

KEPT: list[tempfile.TemporaryDirectory] = []
"""Folders that last as long as this process."""


@functools.cache
def finished() -> Store:
    """A store with the five finished stages of the dataset `tiny`."""
    KEPT.append(folder := tempfile.TemporaryDirectory())
    tiny = make_tiny(Path(folder.name))
    run, keys = tiny.run(), {}
    for decision, stage in zip(
        make_plan(run, Options(), tiny.store).decisions, STAGES, strict=True
    ):
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[decision.stage] = made.key
    return tiny.store


def _of_folder(folder: Path) -> None:
    snapshot = FolderSource(kind="folder", path="/code").open(folder)
    for _ in snapshot.read(list(snapshot.entries())):
        pass


def _of_documents(folder: Path) -> None:
    read_split(folder)
    for split in SPLITS:
        for document in read_documents(folder, split):
            document.text.encode()


def _of_ledger(folder: Path) -> None:
    with bounded(folder):
        ledger.rows_of(folder, "part0.py")
    ledger.compare(folder, finished().runs("corpus", "tiny").last().folder)


def _of_curve(folder: Path) -> None:
    log = MetricsLog(folder)
    log.rewind(10**9)
    log.finish()
    read_metrics(folder)


def _of_repositories(folder: Path) -> None:
    GithubAccountSource(kind="github_account", account="some-one").open(folder)


def _of_downloads(folder: Path) -> None:
    """A damaged record costs another download, of a file that is here."""
    book = folder / "book.txt"
    book.write_bytes(b"A book.\n" * 100)
    source = UrlSource.model_validate({"kind": "url", "urls": [book.as_uri()]})
    for _ in source.fetch(source.resolve(), folder):
        pass
    snapshot = source.open(folder)
    assert [read for _, read in snapshot.read(snapshot.entries())] == [b"A book.\n" * 100]


def _of_counts(folder: Path) -> None:
    Vocabulary.from_counts(read_character_counts(folder), min_count=1).encode("text")


def _of_failure(folder: Path) -> None:
    runs = Store(folder.parent.parent).runs("train", folder.name)  # type: ignore[arg-type]
    if failure := load_failure(runs):
        assert failure.summary


def _of_model(folder: Path) -> None:
    load_model(folder)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "folder.tar": ("fetch", _of_folder),
    "documents-00000.parquet": ("corpus", _of_documents),
    "ledger.parquet": ("corpus", _of_ledger),
    "summary.json": ("corpus", CorpusSummary.load),
    "counts:vocabulary.json": ("corpus", _of_counts),
    "manifest.json": ("train", Manifest.load),
    "model.safetensors": ("train", _of_model),
    "config.json": ("train", _of_model),
    "model:vocabulary.json": ("train", _of_model),
    "metrics.parquet": ("train", read_metrics),
    "samples.parquet": ("sample", read_samples),
    "report.json": ("evaluate", lambda folder: load_report(folder / "report.json")),
    "verdict:report.json": ("evaluate", verdict),
    "documents.parquet": ("evaluate", load_evidence),
    "texts.parquet": ("evaluate", load_evidence),
}
WRITTEN: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    ".failed": (
        b'{"stage": "train", "when": "2026-11-28T10:00:00+00:00", "reason": "x"}',
        _of_failure,
    ),
    "engine-abc.json": (
        b'{"name": "native", "microbatch": 4, "threads": 1}',
        lambda folder: recall("abc", folder),
    ),
    "metrics.jsonl": (
        b'{"step": 1, "characters": 5, "seconds": 0.5, "fraction": 0.1, "train_bits": 3.0, '
        b'"validation_bits": null, "learning_rate": 0.1, "gradient_norm": 1.0, '
        b'"characters_per_second": 10.0}\n' * 3,
        _of_curve,
    ),
    "downloads.json": (
        (
            b'{"book.txt": {"url": "file:///x", "identity": "sha256 0", "sha256": "0", '
            b'"bytes": 800, "kept_bytes": 800}}'
        ),
        _of_downloads,
    ),
    "repositories.json": (
        b'[{"full_name": "a/b", "fate": "kept", "detail": "", "clone_url": "https://x.org/b", '
        b'"license": "MIT", "private": false, "commit": "' + b"0" * 40 + b'"}]',
        _of_repositories,
    ),
}


@contextmanager
def _copy_of(name: str) -> Iterator[tuple[Path, bytes, Callable[[], object]]]:
    """The path of a copy of one file in its folder, its content, and what reads the folder."""
    file = name.rpartition(":")[2]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "train", "tiny")
        if name in WRITTEN:
            folder.mkdir(parents=True)
            content, read = WRITTEN[name]
        else:
            stage, read = READERS[name]
            source = finished().runs(stage, "tiny").last().folder  # type: ignore[arg-type]
            shutil.copytree(source, folder)
            content = (folder / file).read_bytes()
        yield folder / file, content, lambda: read(folder)


def _read_damaged(random: Random, name: str) -> int:
    """Damage a copy of one file, and read it, fifty times."""
    with _copy_of(name) as (path, content, read):
        is_json = path.name.endswith((".json", ".failed"))
        for _ in range(INPUTS):
            damaged = (mutated_json if is_json else mutated)(random, content)
            path.write_bytes(damaged)
            with bounded(damaged):
                read()
    return INPUTS


def _truncated(random: Random) -> int:
    """Every file, cut at a few lengths: 0, 1, in the head, in the middle, one byte too short."""
    name = random.choice([*READERS, *WRITTEN])
    with _copy_of(name) as (path, content, read):
        lengths = {0, 1, 4, 8, 9, 512, len(content) // 2, len(content) - 1, len(content) - 8}
        shorter = sorted(one for one in lengths if 0 <= one < len(content))
        for length in shorter:
            path.write_bytes(content[:length])
            with bounded((name, length)):
                read()
    return len(shorter)


def _any(random: Random) -> int:
    return _read_damaged(random, random.choice([*READERS, *WRITTEN]))


def _checkpoint(random: Random) -> int:
    """A checkpoint, whose header lies about offsets, shapes and itself."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = {"step": 3, "text": "x" * 50}
        tensors = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.zeros(2, dtype=torch.uint8)}
        path = save_checkpoint(folder, Checkpoint(tensors=tensors, values=values))
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        for _ in range(INPUTS):
            header = mutated_json(random, content[8 : 8 + length])
            size = random.choice((len(header), len(header), length, 2**63, 2**64 - 1, 0, 10**8))
            path.write_bytes(size.to_bytes(8, "little") + header + content[8 + length :])
            with bounded(header):
                read = load_checkpoint(folder)
                assert read is None or read.values == values
    return INPUTS


FAULTS = [
    Fault(name="every file of the store", rounds=60, short_rounds=1, run=_any),
    Fault(name="every file of the store, cut", rounds=60, short_rounds=0, run=_truncated),
    Fault(name="headers of checkpoints", rounds=10, short_rounds=1, run=_checkpoint),
]
