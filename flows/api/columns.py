"""The columns of every frame: name, dtype, and what it means, with its unit.

`python -m flows.api.columns` prints them as the tables of docs/notebooks.md. A frame has
all of its columns with these dtypes, even if it has no rows.

Text is `string`, counts are `Int64`, whose missing values are <NA>; measured numbers are `float64`,
where NaN is "not measured" and plots leave a gap.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from corpora.document import SPLITS

TIME = "datetime64[ns, UTC]"
DECISION = pd.CategoricalDtype(["kept", "dropped"])
SPLIT = pd.CategoricalDtype(SPLITS)
ROLE = pd.CategoricalDtype(["model", "floor", "control"])
KIND = pd.CategoricalDtype(["uniform", "unigram", "ngram", "model", "adaptive"])
_NULLABLE = {
    pa.string(): pd.StringDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
_CATEGORIES = pd.StringDtype(na_value=np.nan)
"""Text as `read_parquet` gives it back as categories."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a frame.

    Attributes:
        meaning: what it holds, with its unit, and when it is missing.
    """

    name: str
    dtype: str | pd.CategoricalDtype
    meaning: str


Columns = tuple[Column, ...]

LEDGER: Columns = (
    Column("source", "category", "repository or folder of the dataset that has the file"),
    Column("path", "string", "path in the source, separated by `/`"),
    Column("bytes", "Int64", "size of the file in bytes"),
    Column("decision", DECISION, "`kept` or `dropped`"),
    Column("reason", "category", "rule that dropped it; missing for kept files"),
    Column("detail", "string", "what the rule saw, in words; may be empty"),
    Column("duplicate_of", "string", "`source/path` of the file that it is a copy of"),
    Column("cluster", "string", "`source/path` of the first file that this kept one is close to"),
    Column("vendored", "boolean", "whether its path is that of a copy of another project"),
    Column("sha256", "string", "SHA-256 of the text; missing if it was not read"),
    Column("license", "category", "SPDX expression; missing if none is stated"),
    Column("split", SPLIT, "`train`, `validation` or `test`; missing for dropped files"),
    Column("encoding", "category", "how the bytes were decoded; missing if they were not"),
    Column("characters", "Int64", "length of the decoded text; missing if it was not decoded"),
    Column("handle", "string", "where the source stores the content, such as a blob id"),
)
TEXT = Column("text", "string", "the text; only with `documents(text=True)`")
DIGEST = Column("sha256", "string", "SHA-256 of the text; `texts()` finds a document by it")
DOCUMENTS: Columns = (
    Column("source", "category", "repository or folder of the dataset"),
    Column("path", "string", "path in the source, separated by `/`"),
    Column("license", "category", "SPDX expression; missing if none is stated"),
    DIGEST,
    Column("split", SPLIT, "`train`, `validation` or `test`"),
    Column("characters", "Int64", "length of the text in characters"),
    Column("bytes", "Int64", "length of the text in bytes of UTF-8"),
)
CURVE: Columns = (
    Column("step", "Int64", "updates of the weights so far"),
    Column("characters", "Int64", "characters trained so far"),
    Column("seconds", "float64", "seconds so far, over all sessions, with validations"),
    Column("fraction", "float64", "spent share of the budget, 0 to 1"),
    Column("train_bits", "float64", "bits per character in training, mean of about 100 updates"),
    Column("validation_bits", "float64", "bits per character on held-out text; NaN between them"),
    Column("learning_rate", "float64", "of the last update"),
    Column("gradient_norm", "float64", "of the last update, before clipping"),
    Column("characters_per_second", "float64", "of this session, with validations"),
)
SAMPLES: Columns = (
    Column("temperature", "float64", "sampling temperature"),
    Column("seed", "Int64", "seed of the sample; the same seed gives the same text"),
    Column("text", "string", "what the model wrote; U+FFFF separates files"),
    Column("characters", "Int64", "length of the text in characters"),
    Column("bits_per_char", "float64", "bits per character under the model at temperature 1"),
)
DOCUMENT_BITS: Columns = (
    Column("path", "string", "`source/path` of a held-out document"),
    Column("sha256", "string", "SHA-256 of its text: equal texts of two runs have the same"),
    Column("characters", "Int64", "length of the text in characters"),
    Column("model_bits", "float64", "bits of the whole document under the model"),
    Column("ngram_bits", "float64", "bits of the whole document under the best n-gram"),
    Column("model_bits_per_char", "float64", "bits per character under the model"),
    Column("ngram_bits_per_char", "float64", "bits per character under the best n-gram"),
)
MEASURES: Columns = (
    Column("role", ROLE, "`model`, `floor` (n-gram samples) or `control` (real text)"),
    Column("temperature", "float64", "sampling temperature; NaN for floor and control"),
    Column("text", "Int64", "number of the text in the report, from 0"),
    Column("characters", "Int64", "length of the text in characters"),
    Column("metric", "category", "key of the metric; see evaluation.md"),
    Column("amount", "float64", "what was counted in this text"),
    Column("of", "float64", "out of how many, or how much text"),
    Column("value", "float64", "`amount / of`; NaN where nothing could be counted"),
)
_VALUE = (
    Column("value", "float64", "sum of amounts / sum of denominators; NaN if nothing was counted"),
    Column("low", "float64", "lower bound of the 95 % interval; NaN if it has none"),
    Column("high", "float64", "upper bound of the 95 % interval; NaN if it has none"),
    Column("n", "Int64", "denominator, rounded: how much evidence the value rests on"),
)
METRICS: Columns = (
    Column("role", ROLE, "`model`, `floor` (n-gram samples) or `control` (real text)"),
    Column("temperature", "float64", "sampling temperature; NaN for floor and control"),
    Column("texts", "Int64", "number of texts in the group"),
    Column("metric", "category", "key of the metric; see evaluation.md"),
    Column("label", "category", "the metric in words"),
    *_VALUE,
)
LADDER: Columns = (
    Column("predictor", "string", "name of the predictor"),
    Column("kind", KIND, "only `adaptive` ones learn from the text that they score"),
    Column("bits_per_char", "float64", "bits per character of held-out text"),
    Column("low", "float64", "lower bound of the 95 % interval over documents; NaN if none"),
    Column("high", "float64", "upper bound of the 95 % interval over documents; NaN if none"),
    Column("bits_per_byte", "float64", "bits per byte of UTF-8 of the same text"),
    Column("train_bits_per_char", "float64", "the same on training text; NaN if not measured"),
)
SCORES: Columns = (
    Column("metric", "string", "key of the metric; see evaluation.md"),
    Column("label", "string", "the metric in words"),
    *_VALUE,
)
REPORTS: Columns = (
    Column("dataset", "category", "name of the dataset"),
    Column("run", "string", "key of the report"),
    Column("is_latest", "boolean", "whether it is the last report of its dataset"),
    Column("finished", TIME, "when the report was finished"),
    Column("language", "category", "language of the dataset; `prose` has no validity"),
    Column("preset", "category", "preset of the training"),
    Column("budget", "category", "how long it was to train, such as `10m` or `3epochs`"),
    Column("bits_per_char", "float64", "bits per character of held-out text, of the model"),
    Column("bits_low", "float64", "lower bound of its 95 % interval over documents"),
    Column("bits_high", "float64", "upper bound of its 95 % interval over documents"),
    Column("bits_per_byte", "float64", "bits per byte of UTF-8 of the same text"),
    Column("train_bits_per_char", "float64", "bits per character of training text"),
    Column("best_ngram", "category", "n-gram model that needs the fewest bits"),
    Column("ngram_bits_per_char", "float64", "bits per character of held-out text, of that one"),
    Column("gain_over_ngram", "float64", "bits per character saved by the model; negative if more"),
    Column("headline", "category", "key of the validity metric; missing for prose"),
    Column("headline_temperature", "float64", "temperature of the samples that it is measured on"),
    Column("headline_value", "float64", "its value for these samples, as a share of 1"),
    Column("headline_low", "float64", "lower bound of its 95 % interval"),
    Column("headline_high", "float64", "upper bound of its 95 % interval"),
    Column("headline_n", "Int64", "number of units that it counts"),
    Column("headline_floor", "float64", "its value for samples of an n-gram model"),
    Column("headline_control", "float64", "its value for real held-out text"),
    Column("documents", "Int64", "documents of the corpus, all splits"),
    Column("characters", "Int64", "characters of the corpus, all splits"),
    Column("train_characters", "Int64", "characters of its training split"),
    Column("test_characters", "Int64", "characters of its test split"),
    Column("architecture", "category", "model, such as `lstm`"),
    Column("hidden_size", "Int64", "units of each layer"),
    Column("parameters", "Int64", "number of weights of the model"),
    Column("trained_characters", "Int64", "characters trained, with repetitions"),
    Column("train_seconds", "float64", "seconds of training, over all sessions"),
    Column("seed", "Int64", "seed of the training"),
    Column("device", "category", "what it was trained on"),
    Column("seconds", "float64", "seconds of all stages"),
    Column("warnings", "Int64", "number of reasons to distrust this report in particular"),
    Column("fetch", "string", "key of the fetch that it is made from"),
    Column("corpus", "string", "key of the corpus"),
    Column("train", "string", "key of the training"),
    Column("sample", "string", "key of the samples"),
    Column("title", "string", "title of the dataset"),
    Column("verdict", "string", "the report in one sentence"),
    Column("problem", "string", "why the report cannot be read; missing if it can"),
)
FRAMES: Mapping[str, Columns] = {
    "reports": REPORTS,
    "ledger": LEDGER,
    "documents": (*DOCUMENTS, TEXT),
    "curve": CURVE,
    "samples": SAMPLES,
    "document_bits": DOCUMENT_BITS,
    "ladder": LADDER,
    "metrics": METRICS,
    "measures": MEASURES,
    "score": SCORES,
}


def from_rows(rows: Iterable[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """A frame of rows; what a row lacks is missing.

    Args:
        rows: values by column, times as text in ISO 8601.
    """
    values: Sequence[Mapping[str, Any]] = list(rows)
    return pd.DataFrame(
        {one.name: _series([row.get(one.name) for row in values], one.dtype) for one in columns},
        columns=pd.Index([one.name for one in columns], dtype="str"),
    )


def fitted(row: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """A row whose values have the types of their columns.

    Raises:
        ValueError, TypeError, OverflowError: if one cannot have it.
    """
    types = {"Int64": int, "float64": float}
    by_name = {one.name: types.get(str(one.dtype), _text) for one in columns}
    return {name: value if value is None else by_name[name](value) for name, value in row.items()}


def _text(value: Any) -> str:
    """Text that Arrow can hold: JSON may contain half of a surrogate pair."""
    return str(value).encode().decode()


def from_arrow(table: pa.Table, columns: Columns) -> pd.DataFrame:
    """A frame of those of the columns that a table has."""
    dtypes = {one.name: one.dtype for one in columns if one.name in table.column_names}
    frame = table.select(list(dtypes)).to_pandas(types_mapper=_NULLABLE.get)
    categories = [name for name, dtype in dtypes.items() if dtype == "category"]
    return frame.astype(dict.fromkeys(categories, _CATEGORIES)).astype(dtypes)


def _series(values: Sequence[Any], dtype: str | pd.CategoricalDtype) -> pd.Series:
    if dtype == TIME:
        return pd.Series([_moment(value) for value in values], dtype=TIME)
    if dtype == "category":
        # An empty one has categories of text, too.
        return pd.Series(values, dtype=_CATEGORIES).astype(dtype)
    return pd.Series(values, dtype="object").astype(dtype)


def _moment(text: str | None) -> pd.Timestamp | None:
    """A time in UTC; None for what is none, or lies outside the years 1678 to 2261."""
    try:
        moment = datetime.fromisoformat(text or "").astimezone(UTC)
        return cast("pd.Timestamp", pd.Timestamp(moment)).as_unit("ns")
    except (ValueError, OverflowError):
        return None


def page() -> str:
    """The columns of every frame, as docs/notebooks.md shows them."""
    return "\n".join(f"{_section(name, columns)}\n" for name, columns in FRAMES.items())


def _section(name: str, columns: Columns) -> str:
    rows = [f"| `{one.name}` | {one.dtype} | {one.meaning} |" for one in columns]
    head = [f"### {name}", "", "| column | dtype | meaning |", "|---|---|---|"]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    sys.stdout.write(page())
