"""The gallery as Markdown: a table, a chart, and an extract of every report."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.results.row import Row
from evaluation.report import plots
from system.display import visible

CHART = "results.png"
HEAD = (
    "| dataset | corpus | trained | LSTM | best n-gram | PPMd 16 | zpaq -m5 "
    "| validity | floor | model | real | published |\n"
    "|---|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|"
)
PREDICTORS = {"LSTM": "model", "best n-gram": "bar", "PPMd 16": "floor", "zpaq -m5": "control"}
ORIGINS = {"floor": "floor", "model": "model", "control": "control", "published": "bar"}
"""In the order of the table; by the colour of plots.COLOURS that each has in the chart."""


def write_gallery(
    rows: Sequence[Row], docs: Path, heading: str, sources: Mapping[str, str]
) -> None:
    """Write results.md, its chart, and an extract of every dataset under `docs`.

    Args:
        heading: how it was made, in Markdown.
        sources: by dataset, what was used in place of its real source.
    """
    folder = docs / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHART).write_bytes(plots.to_png(chart(rows)))
    for row in rows:
        text = extract(row, sources.get(row.dataset, ""))
        (folder / f"{row.dataset}.md").write_text(text, encoding="utf-8", newline="\n")
    lines = [heading, HEAD, *map(table_row, rows), "", LEGEND]
    if sources:
        lines += ["", "Not from their real sources:", ""]
        lines += [f"- `{name}`: {words}" for name, words in sorted(sources.items())]
    text = "\n".join([*lines, "", f"![Bits and validity by dataset](results/{CHART})", ""])
    (docs / "results.md").write_text(text, encoding="utf-8", newline="\n")


LEGEND = """\
*corpus*: million characters of training text. *trained*: million characters that the training read.
The next four columns are bits per held-out character; the two compressors are primed with the
training text and learn from the held-out text too, so they have an advantage over the others.
*validity* names the metric of the last four columns: the floor is an n-gram model of order 5, real
is held-out text, published is the sample of the old post, cut into pieces as long as ours. Samples
are at the temperature that the report recommends. Every name leads to an extract of its report,
with the first sample, uncut (a home folder in it becomes ~)."""


def table_row(row: Row) -> str:
    """A line of the table."""
    cells = [
        f"[{row.dataset}](results/{row.dataset}.md)",
        f"{row.corpus_characters / 1e6:,.2f}",
        f"{row.trained_characters / 1e6:,.1f}",
        *(f"{row.bits[name]:.3f}" if name in row.bits else "" for name in PREDICTORS),
        row.label,
        *(_unbroken(row.texts.get(origin, "")) for origin in ORIGINS),
    ]
    return f"| {' | '.join(cells)} |"


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


SHORT_HEAD = (
    "| it read | LSTM, bits | n-gram, bits | of the samples "
    "| n-gram | LSTM | real text |\n|---|--:|--:|---|--:|--:|--:|"
)
SHORT = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)


def with_summary(readme: str, rows: Sequence[Row]) -> str:
    """The README with a short table between its marks; as it was if it has none."""
    lines = [SHORT_HEAD]
    for row in rows:
        cells = [
            f"[{row.dataset}](docs/results/{row.dataset}.md)",
            f"{row.bits['LSTM']:.2f}",
            f"{row.bits['best n-gram']:.2f}",
            row.label.lower() if row.headline else "",
            *(_unbroken(row.texts.get(origin, "")) for origin in ("floor", "model", "control")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join(lines)
    return SHORT.sub(lambda found: f"{found[1]}{table}\n{found[2]}", readme)


def extract(row: Row, source: str) -> str:
    """A page about one dataset."""
    sample = visible(row.sample.replace(str(Path.home()), "~"))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", sample)), default=0))
    threats = [f"- {text}" for text in row.threats]
    return "\n".join(
        [
            f"# {row.title}",
            "",
            row.description,
            *(["", f"Source: {source}."] if source else []),
            "",
            row.verdict,
            "",
            f"Training: {row.training}.",
            *(["", "Reasons to doubt it:", "", *threats] if threats else []),
            "",
            f"The first sample at temperature {row.temperature:g}, uncut:",
            "",
            fence,
            sample,
            fence,
            "",
            "[All datasets](../results.md)",
            "",
        ]
    )


def chart(rows: Sequence[Row]) -> Figure:
    """Bits by predictor, and validity by origin, a line per dataset."""
    with plots.style():
        figure = Figure(figsize=(1.35 * plots.WIDE, 0.9 + 0.3 * len(rows)))
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, label in ((left, "bits per held-out character"), (right, "validity")):
            axes.grid(axis="both")
            axes.set_axisbelow(True)
            axes.set_xlabel(label)
        _dots(left, [row.bits for row in rows], PREDICTORS)
        _dots(right, [row.shares for row in rows], ORIGINS)
        right.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
        left.set_yticks(range(len(rows)), [row.dataset for row in rows])
        left.set_ylim(len(rows) - 0.5, -0.5)
        for axes in (left, right):
            axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
        return figure


def _dots(
    axes: Axes, lines: Sequence[Mapping[str, float | None]], colours: Mapping[str, str]
) -> None:
    for name, colour in colours.items():
        found = ((values.get(name), number) for number, values in enumerate(lines))
        seen = [(value, number) for value, number in found if value is not None]
        if seen:
            axes.plot(*zip(*seen, strict=True), "o", ms=5, color=plots.COLOURS[colour], label=name)
