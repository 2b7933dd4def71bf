"""The command that exports the reports of all datasets as a table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.errors import OptionError, StageError

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["markdown", "csv", "parquet"]
SHOWN = (
    *("dataset", "run", "finished", "preset", "budget", "bits_per_char", "bits_low", "bits_high"),
    *("gain_over_ngram", "headline_value", "headline_low", "headline_high", "characters"),
)
"""Columns of a Markdown table by default; files for programs have all."""
ALL = "all"


def table(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Names of datasets; all datasets if omitted.")
    ] = None,
    all_runs: Annotated[
        bool,
        typer.Option("--all-runs", help="Every report, not only the last one of each dataset."),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Columns, in this order, or `all`; by default a few in Markdown, all in CSV and "
            "Parquet. docs/notebooks.md explains them.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Sort by a column, missing values last."),
    ] = None,
    descending: Annotated[
        bool, typer.Option("--descending", help="With --sort: the largest first.")
    ] = False,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="By default from the ending of --output (.md, .csv, .parquet), or Markdown.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write; by default the table is printed.")
    ] = None,
) -> None:
    """Export reports as Markdown, CSV or Parquet.

    One row for each dataset: its last report with bits per character, validity, their 95 %
    intervals, and what the model was trained on. With --all-runs, one row for each report. A
    report that cannot be read has its reason in the column `problem`, and the exit status is 2.

    Text in CSV that a spreadsheet would take for a formula begins with an apostrophe.

    Example: charmill table

    Example: charmill table torch numpy --all-runs --sort bits_per_char

    Example: charmill table --columns dataset,bits_per_char,characters --format csv

    Example: charmill table --all-runs --output reports.parquet
    """
    from flows.api import reports
    from flows.api.export import FORMATS
    from flows.console import err

    chosen = _format(file_format, output)
    found = reports(*(datasets or ()))
    if not all_runs:
        found = found.loc[found["is_latest"]]
    if sort is not None:
        _check("--sort", sort, found)
        found = found.sort_values(by=[sort], ascending=not descending, kind="stable")
    _write(FORMATS[chosen](found.loc[:, _columns(columns, chosen, found)]), output)
    for name in dict.fromkeys(datasets or ()):
        if name not in set(found["dataset"]):
            err.print(f"{name}: no report yet; make one with `charmill run {name}`", markup=False)
    if problems := list(found["problem"].dropna()):
        raise StageError("; ".join(problems))


def _format(wanted: Format | None, output: Path | None) -> str:
    """The format that is asked for, or that the name of the file says.

    Raises:
        OptionError: if neither does, or Parquet would go to the terminal.
    """
    from flows.api.export import ENDINGS

    named = ENDINGS.get(output.suffix.lower()) if output else "markdown"
    if (chosen := wanted or named) is None:
        raise OptionError(f"{output}: name a --format, or a file that ends in {', '.join(ENDINGS)}")
    if chosen == "parquet" and output is None:
        raise OptionError("--format parquet needs --output FILE")
    return chosen


def _columns(text: str | None, chosen: str, found: "pd.DataFrame") -> list[str]:
    """The columns to write, each once.

    Raises:
        OptionError: if there is no such column.
    """
    if text == ALL or (text is None and chosen != "markdown"):
        return list(found)
    names = (
        list(dict.fromkeys(name.strip() for name in text.split(","))) if text is not None else SHOWN
    )
    for name in names:
        _check("--columns", name, found)
    return list(names)


def _check(option: str, name: str, found: "pd.DataFrame") -> None:
    if name not in found:
        raise OptionError(f"{option}: no column {name!r}; known: {', '.join(found)}")


def _write(content: bytes, output: Path | None) -> None:
    """Write to a file as a whole, or print."""
    from system.files import write_whole

    if output is None:
        sys.stdout.write(content.decode())
        return
    try:
        write_whole(output, content)
    except OSError as error:
        raise OptionError(f"{output}: {error.strerror}") from None
