"""A dataset of the artifact store: what was kept, learned and written, as pandas frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from corpora.corpus import parquet
from corpora.document import Split
from corpora.errors import CorpusError
from evaluation import evidence
from evaluation.errors import ReportError
from flows.api import columns
from flows.api.columns import Columns, from_arrow
from flows.api.lookup import check_name, dataset_folders, input_of, store_at
from flows.api.report_frames import ADVICE, ladder_of, metrics_of, reports_in
from flows.options import StageName, read_dataset
from flows.store.integrity import verified
from flows.store.runs import StageRun, Store
from modeling.errors import ModelFileError
from modeling.inference.samples import SAMPLES, read_samples
from modeling.training import learning_curve
from system.damage import explaining_damage
from system.errors import CharmillError

if TYPE_CHECKING:
    from flows.api.model import Model

COMPUTED = {
    "characters": pc.utf8_length,  # pyright: ignore[reportAttributeAccessIssue] (made at import)
    "bytes": pc.binary_length,  # pyright: ignore[reportAttributeAccessIssue]
}
"""Columns of the documents that are computed from their texts."""
BATCH_DOCUMENTS = 256
TRAIN_ADVICE = "train again: --from train --force"


def open_dataset(
    name: str,
    run: str | None = None,
    *,
    artifacts: Path | str | None = None,
    datasets: Path | str | None = None,
) -> "Dataset":
    """Open a dataset by its name. Nothing is read before it is asked for, and nothing is written.

    Args:
        run: key of a report, or the beginning of one: all frames are then of the runs that it was
            made from. By default each frame is of the last run of its stage.
        artifacts: folder of the artifact store; by default `CHARMILL_ARTIFACTS` or `artifacts/`.
        datasets: folder of your dataset TOMLs; by default `CHARMILL_DATASETS`.

    Raises:
        SpecError: if there is no such dataset.
        OptionError: if there is no such folder.
        StageError: if there is no such report.
    """
    store = store_at(artifacts)
    check_name(name, store, datasets)
    report = store.runs("evaluate", name).find(run) if run else None
    return Dataset(name=name, store=store, report=report, folders=dataset_folders(datasets))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset; made by `open_dataset`. docs/notebooks.md lists the columns of each frame.

    Every method raises a StageError if its stage has not run yet, and a CharmillError with one line
    if a file is damaged.

    Attributes:
        name: of the dataset.
        store: the artifact store that has its runs.
        report: whose runs are read; None for the last run of every stage.
        folders: with dataset TOMLs.
    """

    name: str
    store: Store
    report: StageRun | None = None
    folders: tuple[Path, ...] = ()

    @property
    def language(self) -> str:
        """The language that its samples are scored as, from its TOML.

        Raises:
            SpecError: if the TOML is faulty, or was removed.
        """
        return read_dataset(self.name, self.folders).language

    def reports(self) -> pd.DataFrame:
        """All reports of this dataset, a row each, the oldest first."""
        return reports_in(self.store, [self.name])

    def ledger(self) -> pd.DataFrame:
        """Every file that the source listed, a row each: kept or dropped, and why."""
        path = self._file("corpus", parquet.LEDGER)
        table = _read(path, parquet.LEDGER_SCHEMA, CorpusError, parquet.ADVICE)
        return from_arrow(table, columns.LEDGER)

    def documents(self, split: Split | None = None, *, text: bool = False) -> pd.DataFrame:
        """The documents of the corpus, a row each.

        Args:
            split: train, validation or test; all by default.
            text: also the texts, which must fit in memory. Without it, `texts` reads those of some
                documents.
        """
        chosen = (*columns.DOCUMENTS, columns.TEXT) if text else columns.DOCUMENTS
        is_wanted = None if split is None else pc.field("split") == split
        return self._documents(chosen, is_wanted)

    def texts(self, documents: pd.DataFrame) -> pd.Series:
        """The texts of some documents; reads no others into memory.

        Args:
            documents: n rows of `documents()` or of kept files in `ledger()`.

        Returns:
            (n,) text, with the index of `documents`.

        Raises:
            CorpusError: if the corpus has no such document.
        """
        wanted = pa.array(documents["sha256"].dropna().unique(), pa.string())
        chosen = (columns.DIGEST, columns.TEXT)
        found = self._documents(chosen, pc.field("sha256").isin(wanted))
        by_digest = dict(zip(found["sha256"], found["text"], strict=True))
        for digest, path in zip(documents["sha256"], documents["path"], strict=True):
            if digest not in by_digest:
                raise CorpusError(f"{self.name}: {path}: no document of this corpus")
        texts = [by_digest[digest] for digest in documents["sha256"]]
        return pd.Series(texts, index=documents.index, dtype="string", name="text")

    def curve(self) -> pd.DataFrame:
        """The learning curve of the training, in bits per character: a row per recorded point."""
        path = self._file("train", learning_curve.METRICS)
        table = _read(path, learning_curve.SCHEMA, ModelFileError, TRAIN_ADVICE)
        return from_arrow(table, columns.CURVE)

    def samples(self) -> pd.DataFrame:
        """The samples at every temperature, a row each, with their bits per character.

        If the report scored them, each metric that it measured is a further column, float64: the
        value for this text alone, NaN where nothing could be counted. docs/evaluation.md explains
        them.
        """
        samples = [
            {
                "temperature": one.temperature,
                "seed": one.seed,
                "text": one.continuation,
                "characters": len(one.continuation),
                "bits_per_char": np.mean(one.surprisal) if len(one.surprisal) else None,
            }
            for one in read_samples(self._file("sample", SAMPLES).parent)
        ]
        frame = columns.from_rows(samples, columns.SAMPLES)
        measures = self._measures_of(self._run("sample"))
        return frame if measures is None else _with_measures(frame, measures)

    def document_bits(self) -> pd.DataFrame:
        """The bits of every held-out document, a row each, under the model and the best n-gram."""
        path = self._file("evaluate", evidence.DOCUMENTS)
        table = _read(path, evidence.DOCUMENT_SCHEMA, ReportError, ADVICE)
        frame = from_arrow(table, columns.DOCUMENT_BITS)
        length = frame["characters"].astype("float64")
        return frame.assign(
            model_bits_per_char=frame["model_bits"] / length,
            ngram_bits_per_char=frame["ngram_bits"] / length,
        )

    def measures(self) -> pd.DataFrame:
        """Every metric of every text of the report: a row for each text and metric."""
        return _measures(self._file("evaluate", evidence.TEXTS))

    def metrics(self) -> pd.DataFrame:
        """Every metric of the report with its 95 % interval, of samples, floor and control."""
        return metrics_of(self._run("evaluate"))

    def ladder(self) -> pd.DataFrame:
        """Bits per character of every predictor in the report, from the worst to the best."""
        return ladder_of(self._run("evaluate"))

    def model(self, device: str | None = None) -> "Model":
        """The trained model.

        Args:
            device: auto, cpu, cuda, cuda:N or mps; by default `CHARMILL_DEVICE`.

        Raises:
            OptionError: if this machine has no such device.
        """
        from flows.api.model import Model

        return Model.load(verified(self._run("train")), device)

    def _run(self, stage: StageName) -> StageRun:
        if self.report is None:
            return self.store.runs(stage, self.name).last()
        return self.report if stage == "evaluate" else input_of(self.report, stage)

    def _file(self, stage: StageName, name: str) -> Path:
        """An intact file of a stage."""
        run = self._run(stage)
        return verified(run, name) / name

    def _documents(self, chosen: Columns, is_wanted: pc.Expression | None) -> pd.DataFrame:
        """Columns of the documents that are wanted, a batch of texts in memory at a time."""
        folder = verified(self._run("corpus"))
        paths = sorted(folder.glob(parquet.DOCUMENTS))
        for path in paths:
            with parquet.reading(path, parquet.DOCUMENT_SCHEMA):
                pass
        with explaining_damage(folder, CorpusError, parquet.ADVICE):
            table = ds.dataset(paths, schema=parquet.DOCUMENT_SCHEMA).to_table(
                columns={one.name: _expression(one.name) for one in chosen},
                filter=is_wanted,
                batch_size=BATCH_DOCUMENTS,
                batch_readahead=1,
                fragment_readahead=1,
            )
        return from_arrow(table, chosen)

    def _measures_of(self, samples: StageRun) -> pd.DataFrame | None:
        """What the last report, or the chosen one, measured of these samples; None if nothing."""
        report = self.report or self.store.runs("evaluate", self.name).latest
        if report is None or report.manifest.inputs.get("sample") != samples.key:
            return None
        measures = _measures(verified(report, evidence.TEXTS) / evidence.TEXTS)
        return measures.loc[measures["role"] == "model"]


def _expression(name: str) -> pc.Expression:
    """A column of the documents, stored or computed."""
    if compute := COMPUTED.get(name):
        return compute(pc.field("text")).cast(pa.int64())
    return pc.field(name)


def _read(path: Path, schema: pa.Schema, error: type[CharmillError], advice: str) -> pa.Table:
    """The columns of the schema of an intact file.

    Raises:
        CharmillError: of the given kind, if it has others.
    """
    with explaining_damage(path, error, advice):
        table = pq.read_table(path, columns=schema.names).cast(schema)
        table.validate(full=True)
        return table


def _measures(path: Path) -> pd.DataFrame:
    table = _read(path, evidence.TEXT_SCHEMA, ReportError, ADVICE)
    frame = from_arrow(table, columns.MEASURES)
    return frame.assign(value=(frame["amount"] / frame["of"]).where(frame["of"] != 0))


def _with_measures(samples: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Samples with a column for each metric; a report scores those of a temperature in order."""
    first = measures.groupby("temperature")["text"].transform("min")
    placed = measures.assign(place=measures["text"] - first)
    order = placed["metric"].unique()
    keys = ["temperature", "place"]
    wide = placed.pivot(index=keys, columns="metric", values="value")
    wide = wide.reindex(columns=pd.Index(order, dtype="str"))
    place = samples.groupby("temperature").cumcount().astype("Int64")
    joined = samples.assign(place=place).join(wide, on=keys)
    return joined.drop(columns="place")
