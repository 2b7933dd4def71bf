"""The index of all reports, and the commands about reports, on runs as the stages write them."""

import json
import os
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from corpora.errors import SpecError
from evaluation.errors import ReportError
from evaluation.evidence import Evidence
from evaluation.report.render import load_report, write_report
from evaluation.selftest.checks import Check
from flows.cli import reports as cli_reports
from flows.cli.selftest import pipeline_checks
from flows.errors import OptionError, StageError
from flows.progress import LogReporter
from flows.reporting.index import INDEX, index_row, write_index
from flows.stages.table import STAGES
from flows.store.manifest import Manifest
from flows.store.runs import Store
from flows.store.stage import execute
from tests.evaluation.example import example_evaluation
from tests.evaluation.report.test_compare import documents, texts

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(cli_reports.report)
APP.command()(cli_reports.compare)
APP.command()(cli_reports.selftest)
MANIFEST = Manifest(
    stage="evaluate",
    dataset="tiny",
    key="aa11",
    inputs={"train": "t1"},
    parameters={},
    version=3,
    summary={
        "verdict": "It is good.",
        "bits_per_char": 1.5,
        "gain_over_ngram": 0.1,
        "headline": "function_parse_rate",
        "headline_metric": {"value": 0.5, "n": 100, "interval": [0.4, 0.6]},
        "seconds_in_all": 90.0,
        "warnings": [],
    },
    seconds=9.0,
    attempts=1,
    created="2026-11-22T09:14:00+00:00",
    software={},
)


@cache
def report_json():
    """A report without samples, written once."""
    with tempfile.TemporaryDirectory() as folder:
        write_report(example_evaluation(verdict="It is good.", samples=[]), Path(folder))
        return (Path(folder) / "report.json").read_text(encoding="utf-8")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARMILL_ARTIFACTS", str(tmp_path / "artifacts"))
    return Store(tmp_path / "artifacts")


def publish(store, *, key="aa11", shift=0.0, **changes):
    manifest = replace(MANIFEST, key=key, **changes)
    folder = store.runs(manifest.stage, manifest.dataset).run(key).folder
    folder.mkdir(parents=True)
    if manifest.stage == "evaluate":
        (folder / "report.json").write_text(report_json(), encoding="utf-8")
        Evidence(documents=documents(20, shift=shift), texts=texts(3)).save(folder)
    manifest.save(folder)
    store.runs(manifest.stage, manifest.dataset).run(key).make_latest()
    return folder


def begin(store, stage, *, later=10.0):
    folder = store.runs(stage, "tiny").run("bb22").work
    folder.mkdir(parents=True)
    when = time.time() + later
    os.utime(folder, (when, when))
    return folder


def invoke(*arguments):
    done = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_finished_dataset_is_good_and_its_row_links_to_its_report(store):
    folder = publish(store)
    row = index_row(store, "tiny")
    assert (row.state, row.notes, row.bits) == ("good", [], 1.5)
    assert row.link is not None
    assert store.root / row.link == folder / "report.html"
    assert row.metric is not None
    assert row.metric.value == 0.5


def test_a_report_older_than_its_inputs_is_amber(store):
    publish(store)
    publish(store, key="t2", stage="train", inputs={})
    row = index_row(store, "tiny")
    assert (row.state, row.notes) == ("warnings", ["stale: train has run again since"])


def test_what_the_report_warns_of_is_amber_too(store):
    publish(store, summary={**MANIFEST.summary, "warnings": ["Only 3 held-out files"]})
    assert index_row(store, "tiny").state == "warnings"


def test_an_attempt_that_did_not_end_is_red_and_the_old_report_stays(store):
    publish(store)
    begin(store, "train")
    row = index_row(store, "tiny")
    assert (row.state, row.notes) == ("failed", ["train was interrupted"])
    assert row.verdict == "It is good."


def test_what_was_left_before_the_last_report_is_no_failure(store):
    publish(store)
    begin(store, "train", later=-1000.0)
    assert index_row(store, "tiny").state == "good"


def test_an_attempt_that_holds_its_lock_is_running(store):
    begin(store, "corpus")
    with store.runs("corpus", "tiny").run("bb22").lock(pytest.fail):
        assert index_row(store, "tiny").state == "running"
    assert index_row(store, "tiny").state == "failed"


def test_a_dataset_that_cannot_be_read_blocks_no_other(store):
    publish(store)
    broken = publish(store, dataset="broken")
    (broken / "manifest.json").write_text("{")
    page = write_index(store).read_text(encoding="utf-8")
    assert "cannot be read" in page
    assert "It is good." in page
    assert [path.name for path in store.root.glob("*index*")] == [INDEX]


def test_report_all_writes_the_index_and_says_where(store):
    publish(store)
    printed = invoke("report", "--all")
    assert "good" in printed
    assert printed.splitlines()[-1] == str(store.root / INDEX)


def test_report_wants_a_dataset_or_all(store):
    with pytest.raises(OptionError, match="report: name a dataset, or use --all"):
        invoke("report")
    with pytest.raises(OptionError, match="report: name a dataset, or use --all"):
        invoke("report", "tiny", "--all")


def test_compare_takes_the_last_two_reports_and_says_what_changed(store):
    publish(store)
    publish(store, key="cc33", shift=-0.02)
    printed = invoke("compare", "tiny")
    assert "tiny: aa11 -> cc33" in printed
    assert "better by 0.020 bits, 95 % interval 0.020 to 0.020" in printed
    assert "worse by 0.020 bits" in invoke("compare", "tiny", "cc", "aa")
    assert json.loads(invoke("compare", "tiny", "--json"))["shared_documents"] == 20


def test_compare_knows_a_mistyped_name(store):
    with pytest.raises(SpecError, match="no dataset 'pythn'; known: austen"):
        invoke("compare", "pythn")


def test_compare_needs_two_reports_that_exist_and_kept_their_evidence(store):
    first = publish(store)
    with pytest.raises(StageError, match="needs two runs of evaluate to compare; there are: aa11"):
        invoke("compare", "tiny")
    publish(store, key="aa33")
    with pytest.raises(StageError, match=r"no run of evaluate .* 'zz'; there are: aa11, aa33"):
        invoke("compare", "tiny", "zz")
    with pytest.raises(StageError, match=r"2 runs of evaluate .* 'aa'; there are: aa11, aa33"):
        invoke("compare", "tiny", "aa")
    (first / "documents.parquet").unlink()
    with pytest.raises(ReportError, match="kept no bits per document"):
        invoke("compare", "tiny")


def test_selftest_prints_a_table_and_fails_when_an_answer_is_missed(monkeypatch):
    good = Check(name="copies", planted=1.0, found=1.0)
    monkeypatch.setattr("evaluation.selftest.checks.checks", lambda: iter([good]))
    done = CliRunner().invoke(APP, ["selftest", "--fast"])
    assert (done.exit_code, "within tolerance" in done.stdout) == (0, True)
    bad = replace(good, found=0.5)
    monkeypatch.setattr("evaluation.selftest.checks.checks", lambda: iter([good, bad]))
    done = CliRunner().invoke(APP, ["selftest", "--fast"])
    assert (done.exit_code, "OUT" in done.stdout) == (1, True)


@pytest.mark.slow
def test_the_whole_pipeline_finds_what_was_planted(tmp_path):
    found = list(pipeline_checks(tmp_path))
    assert len(found) == 5
    assert [check.name for check in found if not check.holds] == []


def test_a_second_evaluation_compares_itself_with_the_first(tiny):
    keys, folders = {}, []
    for force in (False, True):
        for stage in STAGES:
            made = execute(
                stage,
                tiny.run(),
                stage.choose(keys),
                settings=tiny.settings,
                reporter=LogReporter(),
                force=force and stage.name == "evaluate",
            )
            keys[stage.name] = made.key
        folders.append(tiny.store.runs("evaluate", "tiny").run(keys["evaluate"]).folder)
    first, second = (load_report(folder / "report.json") for folder in folders)
    assert first.change is None
    assert second.change is not None
    assert second.change.old_key == first.key
    assert second.change.shared_documents == second.change.new_documents > 0
    assert {change.new - change.old for change in second.change.changes} == {0.0}
    assert index_row(tiny.store, "tiny").bits == pytest.approx(
        next(row.bits_per_char for row in second.ladder if row.kind == "model")
    )
