"""What samples of character LSTMs that others published are worth under our metrics.

    python -m benchmarks.published_samples FOLDER

FOLDER holds checkouts of nadbordrozd/neural_playground and ArthMx/Char_RNN, under any names. Log
lines and the seed text, which the network did not write, are taken away; each sample is scored as
one text that begins and ends anywhere. Prints a Markdown table; each figure is followed by the
one measured by hand before, if there is one.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.metrics.catalogue import value_text
from evaluation.metrics.diversity import diversity
from evaluation.metrics.groups import metric_of
from evaluation.results import Metric
from evaluation.scoring.sandbox import score_all

RULE = "=" * 33
"""Stands between the log with the seed, and the seed once more with what was written after it."""
METRICS = (
    "function_parse_rate",
    "toplevel_parse_rate",
    "block_balance_rate",
    "unit_parse_rate",
    "nesting_mismatches_per_kb",
    "unterminated_literals_per_kb",
    "repeated_lines_fraction",
    "longest_run",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published sample.

    Attributes:
        before: metric to the figure that was measured by hand.
    """

    name: str
    language: str
    before: dict[str, str]


SAMPLES = (
    Published(
        name="sklearn.py",
        language="python",
        before={"function_parse_rate": "0 of 19", "toplevel_parse_rate": "0 of 15"},
    ),
    Published(
        name="generated_numpy.txt",
        language="python",
        before={"function_parse_rate": "1 of 9", "toplevel_parse_rate": "0 of 5"},
    ),
    Published(
        name="hadoop.java",
        language="java",
        before={
            "block_balance_rate": "59 %",
            "unit_parse_rate": "36 %",
            "unterminated_literals_per_kb": "20 in 168 kB",
        },
    ),
    Published(name="scalaz.sc", language="scala", before={}),
    Published(name="austen.txt", language="prose", before={}),
    Published(name="flat_earth.txt", language="prose", before={}),
    Published(name="flat_earth_0.txt", language="prose", before={}),
    Published(name="generated_shakespeare.txt", language="prose", before={}),
    Published(name="generated_all_hugo.txt", language="prose", before={}),
)


def continuation(text: str) -> str:
    """What the network wrote: `text` without log lines and seed.

    Raises:
        ValueError: the log is not of the form that is known.
    """
    log, rule, rest = text.partition(f"\n{RULE}\n")
    if not rule:
        return text
    _, _, seed = log.partition("generating with seed: \n")
    if not rest.startswith(seed):
        raise ValueError("the text after the rule does not begin with the seed before it")
    return rest[len(seed) :]


def figures(text: str, language: str) -> dict[str, Metric]:
    """The metrics of one sample, scored in a worker with limits."""
    (score,) = score_all(language, [text], seconds=60.0)
    assert score.outcome == "ok"
    tallies = {**score.tallies, **diversity(text)}
    return {key: metric_of(key, [tally]) for key, tally in tallies.items()}


def rows(folder: Path) -> Iterator[list[str]]:
    """A row per metric of every sample that is there."""
    for sample in SAMPLES:
        for path in sorted(folder.rglob(sample.name)):
            text = continuation(path.read_text(encoding="utf-8", errors="replace"))
            found = figures(text, sample.language)
            for key in METRICS:
                if key in found:
                    value = value_text(key, found[key])
                    measured = [value, str(found[key].n), sample.before.get(key, "")]
                    yield [sample.name, f"{len(text):,}", key, *measured]


def main(folder: Path) -> None:
    """Print the table."""
    head = ["sample", "characters", "metric", "value", "n", "by hand"]
    for row in [head, ["---"] * len(head), *rows(folder)]:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
