import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from corpora.errors import SpecError
from flows.cli.table import SHOWN, table
from flows.errors import OptionError, StageError
from tests.flows.api.stores import SUMMARY, add_report, full_store

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(table)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Three reports: of 1.5, 1.2 and an unknown number of bits; the last one is e3."""
    monkeypatch.setenv("CHARMILL_ARTIFACTS", str(tmp_path / "artifacts"))
    found = full_store(tmp_path / "artifacts")
    for day, (key, value) in enumerate((("e2", 0.9), ("e3", None)), start=23):
        metric = {"headline_metric": value and {"value": value, "n": 10, "interval": None}}
        created = f"2026-11-{day}T12:00:00+00:00"
        add_report(found, key, created=created, summary={**SUMMARY, **metric})
    return found


def run(*arguments: str) -> str:
    done = CliRunner().invoke(APP, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str) -> Exception:
    done = CliRunner().invoke(APP, list(arguments))
    assert done.exception is not None
    return done.exception


def keys(output: str) -> list[str]:
    """The keys in a CSV of one column."""
    return output.splitlines()[1:]


def test_the_last_report_of_each_dataset_is_shown_with_the_main_columns(store):
    head, _, row = run().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == list(SHOWN)
    assert row.split("|")[2].strip() == "e3"


def test_all_runs_are_sorted_with_missing_values_last_in_both_directions(store):
    options = ("--all-runs", "--columns", "run", "--format", "csv", "--sort", "headline_value")
    assert keys(run(*options)) == ["e1", "e2", "e3"]
    assert keys(run(*options, "--descending")) == ["e2", "e1", "e3"]


def test_a_file_says_its_format_and_has_all_columns(store, tmp_path):
    assert run("tiny", "--all-runs", "--output", str(tmp_path / "a.parquet")) == ""
    assert run("tiny", "--all-runs", "--output", str(tmp_path / "a.CSV")) == ""
    parquet, text = pd.read_parquet(tmp_path / "a.parquet"), pd.read_csv(tmp_path / "a.CSV")
    assert list(parquet) == list(text)
    assert parquet["run"].tolist() == text["run"].tolist() == ["e1", "e2", "e3"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("nosuch",), SpecError, "no dataset 'nosuch'; known: "),
        (("--columns", "run,x"), OptionError, "--columns: no column 'x'; known: dataset, run,"),
        (("--columns", ""), OptionError, "--columns: no column ''; known: dataset, run,"),
        (("--sort", "y"), OptionError, "--sort: no column 'y'; known: dataset, run,"),
        (("--format", "parquet"), OptionError, "--format parquet needs --output FILE"),
        (("--output", "a.txt"), OptionError, "a.txt: name a --format, or a file that ends in .md"),
        (("--output", "no/such/a.md"), OptionError, "no/such/a.md: No such file or directory"),
    ],
)
def test_a_mistake_says_what_is_allowed(store, tmp_path, monkeypatch, arguments, kind, message):
    monkeypatch.chdir(tmp_path)
    error = refused(*arguments)
    assert type(error) is kind
    assert str(error).startswith(message)
    assert not list(tmp_path.glob("a.*"))


def test_a_report_that_cannot_be_read_is_in_the_table_and_makes_the_command_fail(store, tmp_path):
    (store.runs("evaluate", "tiny").run("e2").folder / "report.json").unlink()
    target = tmp_path / "a.csv"
    error = refused("--all-runs", "--output", str(target))
    assert isinstance(error, StageError)
    assert "e2/report.json: missing" in str(error)
    assert "e2/report.json: missing" in pd.read_csv(target)["problem"][1]


def test_a_dataset_without_a_report_is_mentioned(store):
    done = CliRunner().invoke(APP, ["tiny", "numpy"])
    assert done.exit_code == 0
    assert "numpy: no report yet; make one with `charmill run numpy`" in done.stderr
