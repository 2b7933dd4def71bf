"""The chart of a dataset's reports over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from evaluation.report.plots import COLOURS, WIDE, style

PANEL_INCHES = 1.55
MAX_DOTS = 60
"""With more reports the lines have no dots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One figure of every report, oldest first; None where a report has none.

    Attributes:
        label: what it is, with its unit.
        intervals: the 95 % intervals, if there are any.
        rival: the same figure of the best n-gram, if there is one.
        is_share: whether 1 means 100 %.
    """

    label: str
    values: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None] = ()
    rival: Sequence[float | None] = ()
    is_share: bool = False


def trend_chart(series: Sequence[Series], width: float = WIDE) -> Figure:
    """Draw each series in a panel of its own, over the number of the report."""
    with style():
        figure = Figure(figsize=(width, 0.35 + PANEL_INCHES * len(series)))
        panels = figure.subplots(len(series), 1, sharex=True, squeeze=False).flat
        for one, axes in zip(series, panels, strict=True):
            _panel(axes, one)
        last = figure.axes[-1]
        last.set_xlabel("report, from the oldest to the newest")
        last.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        last.set_xlim(0.6, max(len(one.values) for one in series) + 0.4)
        return figure


def _panel(axes: Axes, series: Series) -> None:
    numbers = range(1, len(series.values) + 1)
    dot = "o" if len(numbers) <= MAX_DOTS else ""
    for values, colour, name in (
        (series.rival, "bar", "best n-gram"),
        (series.values, "model", "model"),
    ):
        seen = [(x, y) for x, y in zip(numbers, values, strict=False) if y is not None]
        axes.plot(*zip(*seen, strict=True), f"-{dot}", color=COLOURS[colour], ms=4, label=name)
    spans = [(x, *one) for x, one in zip(numbers, series.intervals, strict=False) if one]
    if spans:
        axes.vlines(*zip(*spans, strict=True), color=COLOURS["model"], lw=2.2, alpha=0.5)
    axes.set_title(series.label, fontsize=9, loc="left")
    axes.grid(axis="y")
    axes.margins(y=0.15)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(_PERCENT if series.is_share else EngFormatter(sep=" "))
    if series.rival:
        axes.legend(frameon=False, loc="upper right", ncols=2, borderaxespad=0)


_PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.3g} %")
