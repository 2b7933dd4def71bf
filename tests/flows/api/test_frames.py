"""What the frames hold, whatever is missing, damaged or hostile."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flows.api as charmill
from flows.api import CharmillError, Dataset
from flows.api.columns import FRAMES, from_arrow, from_rows, page
from flows.store.runs import Store
from tests.flows.api.stores import (
    METRIC,
    add_report,
    add_samples,
    add_training,
    full_store,
    text_of,
)

PAGE = Path(__file__).parents[3] / "docs/notebooks.md"
OF_A_DATASET = [name for name in FRAMES if name != "score"]
NULLABLE = {"string": pa.string(), "Int64": pa.int64(), "boolean": pa.bool_()}


@pytest.fixture
def store(tmp_path):
    return full_store(tmp_path / "artifacts")


@pytest.fixture
def dataset(store) -> Dataset:
    return charmill.open_dataset("tiny", artifacts=store.root)


def frame(dataset: Dataset, name: str) -> pd.DataFrame:
    return dataset.documents(text=True) if name == "documents" else getattr(dataset, name)()


def dtypes(found: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in found.dtypes.items()}


def state(root: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in root.rglob("*")}


def test_the_page_lists_the_columns_that_the_frames_have():
    tables = re.search(
        r"<!-- columns -->\n(.*)<!-- end of columns -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert tables
    assert tables[1] == page(), "stale: paste the output of python -m flows.api.columns"


@pytest.mark.parametrize("name", OF_A_DATASET)
def test_every_frame_has_the_columns_and_dtypes_of_the_page(dataset, name):
    found = frame(dataset, name)
    wanted = {one.name: str(one.dtype) for one in FRAMES[name]}
    assert len(found) > 0
    assert {key: dtype for key, dtype in dtypes(found).items() if key in wanted} == wanted
    assert [key for key in found if key in wanted] == list(wanted)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_without_rows_has_the_same_columns_and_dtypes(name):
    wanted = {one.name: str(one.dtype) for one in FRAMES[name]}
    schema = {one.name: NULLABLE.get(str(one.dtype), pa.string()) for one in FRAMES[name]}
    numbers = {one.name: pa.float64() for one in FRAMES[name] if one.dtype == "float64"}
    empty = pa.schema(schema | numbers).empty_table()
    assert dtypes(from_rows([], FRAMES[name])) == wanted
    if name != "reports":  # made from rows only
        assert dtypes(from_arrow(empty, FRAMES[name])) == wanted


def test_reading_every_frame_writes_nothing(store, dataset):
    before = state(store.root)
    for name in OF_A_DATASET:
        frame(dataset, name)
    assert state(store.root) == before


def test_a_report_is_one_row_with_its_intervals_its_corpus_and_its_keys(dataset):
    row = dataset.reports().iloc[0]
    assert (row["dataset"], row["run"], bool(row["is_latest"])) == ("tiny", "e1", True)
    assert tuple(row[["fetch", "corpus", "train", "sample"]]) == ("f1", "c1", "t1", "s1")
    assert tuple(row[["bits_low", "bits_per_char", "bits_high"]]) == (1.4, 1.5, 1.6)
    assert (row["best_ngram"], row["ngram_bits_per_char"]) == ("Kneser-Ney 4", 1.75)
    assert tuple(row[["headline_floor", "headline_value", "headline_control"]]) == (0.25, 0.5, 1.0)
    assert tuple(row[["documents", "characters", "train_characters"]]) == (3, 1000, 900)
    assert tuple(row[["budget", "seed", "hidden_size", "parameters"]]) == ("3m", 7, 16, 1234)
    assert row["finished"] == pd.Timestamp("2026-11-22T12:00:00Z")
    assert pd.isna(row["problem"])


@pytest.mark.parametrize(
    ("created", "finished"),
    [
        ("2026-11-22T12:00:00+05:30", pd.Timestamp("2026-11-22T06:30:00Z")),
        ("9999-12-31T00:00:00+00:00", pd.NaT),  # nanoseconds end in 2262
        ("yesterday", pd.NaT),
    ],
)
def test_times_are_in_utc_and_missing_where_they_make_no_sense(store, created, finished):
    add_report(store, "e2", created=created)
    found = charmill.reports(artifacts=store.root).set_index("run")["finished"]
    assert str(found.dtype) == "datetime64[ns, UTC]"
    assert found["e2"] is finished or found["e2"] == finished


def test_columns_do_not_depend_on_which_reports_there_are(store):
    for number in range(12):
        summary = {"verdict": "v", "bits_per_char": 2.0, "gain_over_ngram": 0.0}
        add_report(store, f"a{number}", summary=summary | {"seconds_in_all": 1.0})
    found = charmill.reports(artifacts=store.root)
    assert len(found) == 13
    assert found["headline_value"].notna().sum() == 1
    assert found["problem"].isna().all()


def test_a_report_that_cannot_be_read_keeps_its_row_and_hides_no_other(store):
    damaged = add_report(store, "e2").folder / "report.json"
    damaged.write_text(damaged.read_text().replace("uniform", "uniforn"))
    (add_report(store, "e3").folder / "manifest.json").write_text("{")
    # JSON can hold half of a surrogate pair, and neither Arrow nor UTF-8 can.
    add_report(store, "e4", summary={"verdict": "\ud800", "bits_per_char": 1})
    found = charmill.reports(artifacts=store.root).set_index("run")
    assert pd.isna(found.loc["e1", "problem"])
    assert "report.json: its content has changed" in found.loc["e2", "problem"]
    assert found.loc["e2", "bits_per_char"] == 1.5
    assert "manifest.json: not a manifest" in found.loc["e3", "problem"]
    assert "manifest.json: damaged, or of another version" in found.loc["e4", "problem"]
    assert not found["problem"].str.contains("\n").any()
    assert found["characters"].fillna(0).tolist() == [0, 1000, 1000, 1000]  # without a manifest: 0


def test_a_damaged_training_hides_no_figure_of_the_report(store):
    (store.runs("train", "tiny").run("t1").folder / "manifest.json").write_text("{")
    row = charmill.reports(artifacts=store.root).iloc[0]
    assert "t1/manifest.json: not a manifest" in row["problem"]
    assert (row["bits_per_char"], row["bits_low"]) == (1.5, 1.4)


def test_what_a_report_was_made_from_may_be_gone(store):
    shutil.rmtree(store.runs("corpus", "tiny").run("c1").folder)
    row = charmill.reports(artifacts=store.root).iloc[0]
    assert pd.isna(row["characters"])
    assert (row["bits_per_char"], row["corpus"]) == (1.5, "c1")
    assert pd.isna(row["problem"])
    with pytest.raises(CharmillError, match="corpus of tiny, c1: the report e1 was made from it"):
        charmill.open_dataset("tiny", "e1", artifacts=store.root).ledger()


def test_a_key_opens_the_runs_of_one_report(store):
    other = add_samples(store, "s2", seeds=(6, 7))
    add_report(store, "e2", sample=other.key)
    first = charmill.open_dataset("tiny", "e1", artifacts=store.root)
    last = charmill.open_dataset("tiny", artifacts=store.root)
    assert first.samples()["seed"].tolist() == [4, 5, 4, 5]
    assert last.samples()["seed"].tolist() == [6, 7, 6, 7]


def test_only_the_texts_that_are_asked_for_are_read(dataset):
    documents = dataset.documents("train")
    assert "text" not in documents
    assert documents["characters"].tolist() == [len(text_of(0)), len(text_of(1))]
    assert documents["bytes"].tolist() == [len(text_of(n).encode()) for n in (0, 1)]
    backwards = documents.iloc[::-1]
    texts = dataset.texts(backwards)
    assert texts.to_dict() == {1: text_of(1), 0: text_of(0)}
    kept = dataset.ledger().query("split == 'test'")
    assert dataset.texts(kept).tolist() == [text_of(3)]
    with pytest.raises(CharmillError, match=r"other\.py: no document of this corpus"):
        dataset.texts(documents.assign(sha256="f" * 64, path="other.py"))


def test_each_sample_has_the_measures_of_its_own_text(dataset):
    samples = dataset.samples().set_index(["temperature", "seed"])
    assert samples.loc[(0.5, 4), METRIC] == 0.1
    assert samples.loc[(0.5, 5), METRIC] == 0.2
    assert samples.loc[(0.8, 4), METRIC] == 0.3
    assert np.isnan(samples.loc[(0.8, 5), METRIC])  # nothing could be counted
    assert samples.loc[(0.5, 4), "text"] == "0.5 4"
    assert samples["bits_per_char"].tolist() == [2.0] * 4


def test_samples_that_no_report_scored_have_no_measures(store, dataset):
    add_samples(store, "s2")
    assert METRIC not in dataset.samples()


def test_the_curve_has_every_point_and_nan_where_nothing_was_measured(dataset):
    curve = dataset.curve()
    assert curve["step"].tolist() == [1, 2, 3]
    assert curve["validation_bits"].isna().tolist() == [True, True, False]


def test_bits_are_per_document_and_per_character(dataset):
    row = dataset.document_bits().iloc[0]
    assert (row["model_bits"], row["model_bits_per_char"], row["ngram_bits_per_char"]) == (
        90.0,
        1.5,
        1.75,
    )


@pytest.mark.parametrize(
    ("name", "stage", "file"),
    [
        ("ledger", "corpus", "ledger.parquet"),
        ("documents", "corpus", "documents-00000.parquet"),
        ("curve", "train", "metrics.parquet"),
        ("samples", "sample", "samples.parquet"),
        ("document_bits", "evaluate", "documents.parquet"),
        ("measures", "evaluate", "texts.parquet"),
        ("metrics", "evaluate", "report.json"),
        ("ladder", "evaluate", "report.json"),
    ],
)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_damaged_file_is_one_line_that_names_it(store, dataset, name, stage, file, is_recorded):
    run = store.runs(stage, "tiny").latest
    content = (run.folder / file).read_bytes()
    (run.folder / file).write_bytes(content[:-9] + b"\0" * 9)
    if not is_recorded:  # as runs of the first format, which have no digests
        replace(run.manifest, files=None).save(run.folder)
    with pytest.raises(CharmillError) as found:
        frame(dataset, name)
    assert file.partition("-")[0].removesuffix(".parquet") in str(found.value)
    assert "\n" not in str(found.value)


def test_a_file_that_was_exchanged_is_refused_though_it_can_be_read(store, dataset, tmp_path):
    other = add_training(Store(tmp_path / "other"), "t1", points=4)
    mine = store.runs("train", "tiny").last()
    shutil.copy(other.folder / "metrics.parquet", mine.folder)
    with pytest.raises(CharmillError, match=r"t1/metrics\.parquet: (has|its content)"):
        dataset.curve()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nosuch",), {}, r"no dataset 'nosuch'; known: .*tiny"),
        (("tiny", "zz"), {}, r"no run of evaluate with a key that starts with 'zz'; there are: e1"),
        (("tiny",), {"artifacts": "/no/such"}, "/no/such: no such folder of artifacts"),
    ],
)
def test_a_mistake_is_one_line_with_what_is_allowed(store, arguments, options, message):
    with pytest.raises(CharmillError, match=message):
        charmill.open_dataset(*arguments, **({"artifacts": store.root} | options))


def test_a_dataset_that_never_ran_says_how_to_run_it(store):
    shutil.rmtree(store.root / "evaluate")
    opened = charmill.open_dataset("tiny", artifacts=store.root)
    with pytest.raises(CharmillError, match="make it with `charmill run tiny`"):
        opened.ladder()
    assert len(opened.reports()) == 0
