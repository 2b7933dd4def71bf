"""A frame as CSV, Markdown or Parquet, safe to open in a spreadsheet, a page and a terminal.

Text in CSV and Markdown has no control characters, no secrets of URLs and no line ends. In CSV,
text that a spreadsheet would take for a formula gets an apostrophe in front, also after a
semicolon, which some spreadsheets take for the end of a cell. Numbers are never changed, so
negative ones stay numbers. Parquet holds the values as they are.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from rich.cells import cell_len

from system.display import shown
from system.markdown import markdown

_FORMULA = re.compile("(^|;)\\s*(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a formula would begin; also with the wide signs, which Excel reads as the usual ones."""
EXACT = 1_000
"""From this size on, numbers in Markdown have no decimals."""


def to_csv(frame: pd.DataFrame) -> bytes:
    """CSV in UTF-8: times in ISO 8601, all digits of numbers, nothing where a value is missing."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(zip(*(_cells(one, _csv_cell) for _, one in frame.items()), strict=True))
    return target.getvalue().encode()


def to_markdown(frame: pd.DataFrame) -> bytes:
    """A Markdown table in UTF-8, aligned as text: numbers with four digits, times in UTC."""
    columns = (
        _aligned([str(name), *_cells(one, _markdown_cell)], _is_right(one))
        for name, one in frame.items()
    )
    lines = zip(*columns, strict=True)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """A Parquet file; pandas reads it back with the same dtypes."""
    target = io.BytesIO()
    frame.to_parquet(target, engine="pyarrow", index=False)
    return target.getvalue()


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "markdown": to_markdown,
    "csv": to_csv,
    "parquet": to_parquet,
}
ENDINGS = {".md": "markdown", ".csv": "csv", ".parquet": "parquet"}
"""Format by the ending of a file name."""


def _cells(column: pd.Series, cell: Callable[[Any], Any]) -> list[Any]:
    """The cells of a column; "" where a value is missing."""
    values = column.astype("object")
    return [
        "" if missing else cell(value) for value, missing in zip(values, values.isna(), strict=True)
    ]


def _csv_cell(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return _FORMULA.sub(r"\1'", shown(value)) if isinstance(value, str) else value


def _markdown_cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= EXACT else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else markdown(str(value))


def _is_right(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _aligned(cells: list[str], is_right: bool) -> list[str]:
    """Cells of one width in the columns of a terminal, with the rule below the first."""
    width = max(3, *map(cell_len, cells))
    padded = [
        f"{pad}{cell}" if is_right else f"{cell}{pad}"
        for cell in cells
        for pad in (" " * (width - cell_len(cell)),)
    ]
    rule = f"{'-' * (width - 1)}:" if is_right else "-" * width
    return [padded[0], rule, *padded[1:]]
