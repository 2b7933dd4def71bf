"""A small store with all that the frames read, written as the stages write it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpora.corpus.parquet import (
    DOCUMENT_SCHEMA,
    LEDGER,
    LEDGER_SCHEMA,
    RowWriter,
    document_row,
    ledger_row,
)
from corpora.document import Document, Entry, Outcome, Split
from evaluation.evidence import DocumentBits, Evidence, TextTallies
from evaluation.results import Tally
from flows.options import StageName
from flows.store.manifest import record_files
from flows.store.runs import StageRun, Store
from modeling.inference.samples import Sample, write_samples
from modeling.training import learning_curve
from modeling.vocab import FILE_MARK
from tests.flows.finished import finish

METRIC = "function_parse_rate"
SPLITS: tuple[Split, ...] = ("train", "train", "validation", "test")
LADDER = [
    {"name": "uniform", "kind": "uniform", "bits_per_char": 6.0, "bits_per_byte": 6.0},
    {
        "name": "Kneser-Ney 4",
        "kind": "ngram",
        "bits_per_char": 1.75,
        "bits_per_byte": 1.7,
        "interval": [1.7, 1.8],
    },
    {
        "name": "LSTM",
        "kind": "model",
        "bits_per_char": 1.5,
        "bits_per_byte": 1.45,
        "train_bits_per_char": 1.4,
        "interval": [1.4, 1.6],
    },
]
SUMMARY: Mapping[str, Any] = {
    "verdict": "It is good.",
    "bits_per_char": 1.5,
    "gain_over_ngram": 0.25,
    "headline": METRIC,
    "headline_metric": {"value": 0.5, "n": 100, "interval": [0.4, 0.6]},
    "headline_temperature": 0.8,
    "seconds_in_all": 90.0,
    "warnings": ["few held-out files: only 1"],
}


def full_store(root: Path) -> Store:
    """One run of every stage of `tiny`."""
    store = Store(root)
    add_corpus(store, "c1")
    add_training(store, "t1")
    add_samples(store, "s1")
    add_report(store, "e1")
    return store


def publish(run: StageRun, **fields: Any) -> StageRun:
    """Finish a run with the files that its folder has."""
    finish(run, files=record_files(run.folder), **fields)
    run.make_latest()
    return run


def started(store: Store, stage: StageName, key: str) -> StageRun:
    run = store.runs(stage, "tiny").run(key)
    run.folder.mkdir(parents=True)
    return run


def text_of(number: int) -> str:
    return f"x = {number}  # caf\u00e9\n" * (number + 1)


def add_corpus(store: Store, key: str) -> StageRun:
    """Four documents, and a dropped file with a name that wants to be a formula."""
    run = started(store, "corpus", key)
    documents = [
        Document(
            source="code",
            path=f"part{number}.py",
            license="MIT",
            sha256=f"{number:064}",
            split=split,
            text=text_of(number),
        )
        for number, split in enumerate(SPLITS)
    ]
    with RowWriter(run.folder / "documents-00000.parquet", DOCUMENT_SCHEMA) as writer:
        for document in documents:
            writer.write(document_row(document), 100)
    with RowWriter(run.folder / LEDGER, LEDGER_SCHEMA) as writer:
        for document in documents:
            entry = Entry(source="code", path=document.path, size=20, handle="h")
            outcome = Outcome(
                entry=entry, sha256=document.sha256, split=document.split, license="MIT"
            )
            writer.write(ledger_row(outcome), 100)
        entry = Entry(source="code", path="=cmd().txt", size=9, handle="h")
        writer.write(ledger_row(Outcome(entry=entry, reason="extension")), 100)
    splits = {
        "train": {"documents": 2, "characters": 900},
        "test": {"documents": 1, "characters": 100},
    }
    return publish(run, summary={"splits": splits})


def add_training(store: Store, key: str, points: int = 3) -> StageRun:
    """A learning curve whose last point only has validation bits."""
    run = started(store, "train", key)
    rows = [
        {
            "step": step,
            "characters": 100 * step,
            "seconds": float(step),
            "fraction": step / points,
            "train_bits": 2.0,
            "validation_bits": 1.9 if step == points else None,
            "learning_rate": 0.1,
            "gradient_norm": 1.0,
            "characters_per_second": 100.0,
        }
        for step in range(1, points + 1)
    ]
    table = pa.Table.from_pylist(rows, learning_curve.SCHEMA)
    pq.write_table(table, run.folder / learning_curve.METRICS)
    model = {"architecture": "lstm", "hidden_size": 16}
    return publish(
        run,
        inputs={"corpus": "c1"},
        parameters={"budget": "3m", "seed": 7, "model": model},
        summary={"characters": 300, "seconds": 3.0, "parameters": 1234, "device": "a CPU"},
    )


def add_samples(store: Store, key: str, seeds: Sequence[int] = (4, 5)) -> StageRun:
    """Two samples at each of two temperatures."""
    run = started(store, "sample", key)
    samples = [
        Sample(
            seed=seed,
            temperature=temperature,
            prompt=FILE_MARK,
            continuation=f"{temperature} {seed}",
            surprisal=[1.0, 2.0, 3.0],
        )
        for temperature in (0.5, 0.8)
        for seed in seeds
    ]
    write_samples(run.folder, samples)
    return publish(run, inputs={"train": "t1"})


def evidence() -> Evidence:
    """Of a floor text, of the four samples in their order, and of a control text."""
    roles = (
        ("floor", None, 9),
        *(("model", 0.5, number) for number in (1, 2)),
        *(("model", 0.8, number) for number in (3, 0)),
        ("control", None, 10),
    )
    texts = [
        TextTallies(
            role=role,
            temperature=temperature,
            characters=5,
            tallies={METRIC: Tally(float(amount), 10.0 if amount else 0.0)},
        )
        for role, temperature, amount in roles
    ]
    document = DocumentBits(
        path="code/part3.py", sha256=f"{3:064}", characters=60, model_bits=90.0, ngram_bits=105.0
    )
    return Evidence(documents=[document], texts=texts)


def report_json() -> str:
    groups = [
        {
            "name": role,
            "role": role,
            "temperature": temperature,
            "texts": 2,
            "metrics": {METRIC: {"value": value, "n": 20, "interval": None}},
        }
        for role, temperature, value in (
            ("floor", None, 0.25),
            ("model", 0.8, 0.5),
            ("control", None, 1.0),
        )
    ]
    return json.dumps({"schema": "charmill-report/3", "ladder": LADDER, "groups": groups})


def add_report(store: Store, key: str, *, sample: str = "s1", **fields: Any) -> StageRun:
    run = started(store, "evaluate", key)
    (run.folder / "report.json").write_text(report_json(), encoding="utf-8")
    evidence().save(run.folder)
    usual: dict[str, Any] = {
        "inputs": {"fetch": "f1", "corpus": "c1", "train": "t1", "sample": sample},
        "parameters": {"title": "Tiny", "language": "python", "preset": "smoke"},
        "summary": dict(SUMMARY),
    }
    return publish(run, **(usual | fields))
