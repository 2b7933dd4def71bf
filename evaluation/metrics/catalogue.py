"""The meaning of every sample metric, and the format of its figures.

A metric that is not in the table is still reported, under its own key, as a plain number among the
validity metrics, so a new language needs no change here.
"""

import math
from dataclasses import dataclass
from typing import Literal

from evaluation.results import Metric

FEW_UNITS = 50
"""With fewer units, a percentage would suggest more precision than there is."""

Unit = Literal["units", "share", "number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """How to read one metric.

    Attributes:
        unit: "units" for a share of counted units, "share" for a share of characters or the like,
            "number" for anything else (per kB, a length).
        better: the direction that is good.
        validity: whether it measures validity; the others measure originality and diversity, which
            show whether the validity was earned.
        explanation: what it measures and what real text scores, one sentence each.
    """

    label: str
    unit: Unit
    better: Literal["higher", "lower", "near the control"]
    explanation: str
    validity: bool = True


MEANINGS = {
    "new_units_per_kb": Meaning(
        label="Valid, original functions or blocks per kB",
        unit="number",
        better="near the control",
        explanation="Each counts once in a sample, if it is valid and less than half of it is "
        "copied from the training text. Pages of blanks, loops and copies have few.",
    ),
    "function_parse_rate": Meaning(
        label="Functions that parse",
        unit="units",
        better="higher",
        explanation="Every def with its indented body, dedented and parsed. "
        "Real code: 98.4 to 98.8 %.",
    ),
    "toplevel_parse_rate": Meaning(
        label="Top-level blocks that parse",
        unit="units",
        better="higher",
        explanation="Blocks that start in column 0 with def, class or @. Real code: 99.5 %.",
    ),
    "file_parse_rate": Meaning(
        label="Whole files that parse",
        unit="units",
        better="higher",
        explanation="Files between two file marks. Real code: 94 to 100 %.",
    ),
    "whole_sample_parse": Meaning(
        label="Whole samples that parse",
        unit="units",
        better="near the control",
        explanation="The raw sample, cut in the middle of a file, parsed as it is. "
        "Real code fails too: 0 to 2 %.",
    ),
    "block_balance_rate": Meaning(
        label="Blocks with balanced brackets",
        unit="units",
        better="higher",
        explanation="Functions or members whose brackets match outside strings and comments. "
        "Real code: 99.3 to 100 %.",
    ),
    "file_balance_rate": Meaning(
        label="Whole files with balanced brackets",
        unit="units",
        better="higher",
        explanation="Files between two file marks whose brackets match. Real code: 99 to 100 %.",
    ),
    "unit_parse_rate": Meaning(
        label="Blocks with a clean syntax tree",
        unit="units",
        better="higher",
        explanation="The same blocks, parsed by a tree-sitter grammar without an error. "
        "Real code: 78 to 100 %, depending on the language.",
    ),
    "compiler_parse_rate": Meaning(
        label="Blocks that a compiler parses",
        unit="units",
        better="higher",
        explanation="The same blocks; luac or javac, if installed, finds no syntax error. "
        "Real code: 99.9 to 100 %.",
    ),
    "nesting_mismatches_per_kb": Meaning(
        label="Crossed brackets per kB",
        unit="number",
        better="lower",
        explanation="A closing bracket of the wrong kind, as in (]. Real code: 0.",
    ),
    "unterminated_literals_per_kb": Meaning(
        label="Unterminated literals per kB",
        unit="number",
        better="lower",
        explanation="Strings, characters and comments that never end. Real code: 0.",
    ),
    "swallowed_fraction": Meaning(
        label="Text inside unterminated literals",
        unit="share",
        better="lower",
        explanation="Characters inside literals that never end. Real code: 0 %.",
    ),
    "units_per_kb": Meaning(
        label="Functions or blocks per kB",
        unit="number",
        better="near the control",
        validity=False,
        explanation="Number of units that the validity metrics count; "
        "empty text, or one endless comment, has few.",
    ),
    "copied_fraction_50": Meaning(
        label="Copied from training text",
        unit="share",
        better="near the control",
        validity=False,
        explanation="Characters inside spans of 50 or more that occur verbatim in the training "
        "text. Real unseen text: 0 % (Shakespeare) to 24 % (Scala).",
    ),
    "longest_copy": Meaning(
        label="Longest copied span",
        unit="number",
        better="near the control",
        validity=False,
        explanation="Characters in the longest copied span of a sample, mean over samples.",
    ),
    "distinct_ngrams": Meaning(
        label="Distinct 6-grams",
        unit="share",
        better="near the control",
        validity=False,
        explanation="Distinct sequences of 6 characters, as a share of all in the text; low means "
        "that the text repeats itself.",
    ),
    "repetition": Meaning(
        label="Compressed size",
        unit="share",
        better="near the control",
        validity=False,
        explanation="Size after zstd compression, as a share of the original size; low means that "
        "the text repeats itself.",
    ),
    "longest_run": Meaning(
        label="Longest run of one character",
        unit="number",
        better="near the control",
        validity=False,
        explanation="Mean over samples; hundreds of blanks in a row mean that sampling got stuck.",
    ),
    "blank_fraction": Meaning(
        label="Blanks",
        unit="share",
        better="near the control",
        validity=False,
        explanation="Blanks and line ends, as a share of all characters.",
    ),
    "repeated_lines_fraction": Meaning(
        label="Repeated lines",
        unit="share",
        better="near the control",
        validity=False,
        explanation="Lines, except blank ones, that occurred earlier in the same text.",
    ),
}


RULES = {
    "binary": "binary files",
    "duplicate": "exact copies",
    "empty": "empty files",
    "encoding": "unknown encoding",
    "extension": "other file types",
    "generated": "generated code",
    "licence": "licence not allowed",
    "near-duplicate": "near-copies",
    "secret": "with a password or key",
    "table": "tables of numbers",
    "vendored": "copies of other projects",
}
"""What the rules of a corpus drop; a rule that is not in the table is already named in words."""


def rule_label(reason: str) -> str:
    """What a rule of the funnel drops, in words."""
    return RULES.get(reason, reason)


def meaning_of(key: str) -> Meaning:
    """The meaning of the metric `key`, with defaults if it is not in the table."""
    unknown = Meaning(
        label=key.replace("_", " ").capitalize(),
        unit="number",
        better="near the control",
        explanation="Compare with the control.",
    )
    return MEANINGS.get(key, unknown)


def value_text(key: str, metric: Metric | None) -> str:
    """Format the value: "83.1 %", "0.42", "7 of 9" for few units, "n/a" for none."""
    if metric is None or metric.value is None:
        return "n/a"
    unit = meaning_of(key).unit
    if unit == "units" and metric.n < FEW_UNITS:
        return f"{round(metric.value * metric.n)} of {metric.n}"
    return _number(metric.value) if unit == "number" else f"{100 * metric.value:.1f} %"


def interval_text(key: str, metric: Metric | None) -> str:
    """Format the 95 % interval in the unit of the value; without decimals for few units."""
    if metric is None or metric.value is None or metric.interval is None:
        return "n/a"
    low, high = metric.interval
    unit = meaning_of(key).unit
    if unit == "number":
        return f"{_number(low)} to {_number(high)}"
    if unit == "units" and metric.n < FEW_UNITS:
        return f"{100 * low:.0f} to {100 * high:.0f} %"
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 4)}f}"
