"""Tables that a spreadsheet, a page and another program can read, whatever the text in them.

The inputs are those of bug reports about other tools: formulas in CSV (OWASP, Superset, pandas),
also after a semicolon (OWASP), negative numbers that became text (Grafana, WooCommerce), "-" in
place of missing values and dates without a year (dvc), bars and line ends in cells (tabulate).
"""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from rich.cells import cell_len

from flows.api.columns import REPORTS, from_rows
from flows.api.export import to_csv, to_markdown, to_parquet
from flows.api.report_frames import reports
from tests.flows.api.stores import full_store

FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "=cmd|' /C calc'!A0",
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",
)


def table(**row) -> pd.DataFrame:
    return from_rows([{"dataset": "tiny", "run": "e1"} | row], REPORTS)


def csv_rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(frame).decode())))


def markdown_cells(frame: pd.DataFrame) -> list[list[str]]:
    lines = to_markdown(frame).decode().splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_in_csv_is_never_a_formula(text):
    cell = csv_rows(table(title=text))[0]["title"]
    assert cell.startswith("'")
    assert cell.removeprefix("'") == " ".join(text.split())


def test_a_semicolon_does_not_begin_a_formula_where_it_separates_cells():
    cell = csv_rows(table(title="a;=1+2; @x"))[0]["title"]
    assert cell == "a;'=1+2;'@x"


def test_negative_numbers_in_csv_stay_numbers():
    row = csv_rows(table(gain_over_ngram=-0.02))[0]
    assert row["gain_over_ngram"] == "-0.02"


def test_csv_has_all_digits_full_times_and_nothing_for_missing_values():
    frame = table(bits_per_char=0.1 + 0.2, finished="2026-11-22T06:30:00+00:00", seed=2**62 + 1)
    row = csv_rows(frame)[0]
    assert row["bits_per_char"] == "0.30000000000000004"
    assert row["finished"] == "2026-11-22T06:30:00+00:00"
    assert row["seed"] == "4611686018427387905"
    assert (row["bits_low"], row["title"], row["headline_n"]) == ("", "", "")
    back = pd.read_csv(io.BytesIO(to_csv(frame)))
    assert back["bits_per_char"].tolist() == [0.1 + 0.2]
    assert np.isnan(back["bits_low"][0])


def test_text_is_one_line_without_control_characters_and_secrets():
    text = 'a,"b"\nc\x1b[31m \u202e https://me:secret@host/x'
    cell = csv_rows(table(title=text))[0]["title"]
    assert cell == 'a,"b" c\u27e8U+001B\u27e9[31m \u27e8U+202E\u27e9 https://***@host/x'


def test_a_table_without_rows_has_its_head():
    assert to_csv(from_rows([], REPORTS)).decode().count("\n") == 1
    assert len(to_markdown(from_rows([], REPORTS)).decode().splitlines()) == 2


def test_a_cell_with_bars_and_line_ends_is_one_cell_of_markdown():
    cells = markdown_cells(table(title="a|b\nc").loc[:, ["run", "title"]])
    assert cells[2] == ["e1", r"a\|b c"]


def test_wide_characters_are_aligned():
    frame = from_rows([{"title": "\u6587\u5b57"}, {"title": "e\u0301\U0001f600"}], REPORTS)
    lines = to_markdown(frame.loc[:, ["title", "run"]]).decode().splitlines()
    assert len({cell_len(line) for line in lines}) == 1


def test_numbers_in_markdown_have_four_digits_and_are_aligned_at_the_right():
    frame = table(bits_per_char=1.23456, train_seconds=604800.5, parameters=17120360)
    names = ["bits_per_char", "train_seconds", "parameters", "is_latest"]
    head, rule, row = markdown_cells(frame.assign(is_latest=True).loc[:, names])
    assert head == names
    assert [cell.endswith(":") for cell in rule] == [True, True, True, False]
    assert row == ["1.235", "604,800", "17,120,360", "yes"]


def test_parquet_gives_the_same_frame_back(tmp_path):
    found = reports(artifacts=full_store(tmp_path).root)
    assert_frame_equal(pd.read_parquet(io.BytesIO(to_parquet(found))), found)
    empty = pd.read_parquet(io.BytesIO(to_parquet(found.iloc[:0])))
    assert empty.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()
