"""The charts of a report, written as SVG for HTML or as PNG for Markdown.

A chart is a matplotlib Figure without pyplot, so there is no global state. Its colours are those in
COLOURS: on white in a PNG, whose text has a contrast of at least 4.5:1 on any page; in an SVG they
become CSS variables, which the page sets by theme. The same input gives the same bytes.
"""

import base64
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import repeat
from threading import Lock
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullLocator

from corpora.corpus.summary import FunnelStep
from evaluation.metrics.catalogue import meaning_of, rule_label
from evaluation.results import LadderRow, ReportCurvePoint, Role, SampleGroup
from system.display import visible

COLOURS = {
    "ink": "#5b6472",
    "grid": "#9aa1ab",
    "bar": "#a3abb6",
    "model": "#2f7fd6",
    "floor": "#c2703d",
    "control": "#3d9a62",
}
WIDE = 6.6
"""Inches; about the width of the text on a desktop."""
NARROW = 3.5
"""Inches; about the width of a phone."""
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": COLOURS["grid"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.alpha": 0.35,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.6,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,
    "xtick.color": COLOURS["grid"],
    "xtick.labelcolor": COLOURS["ink"],
    "xtick.major.size": 0,
    "ytick.color": COLOURS["grid"],
    "ytick.labelcolor": COLOURS["ink"],
    "ytick.major.size": 0,
    "figure.constrained_layout.use": True,
    "savefig.transparent": True,
    "svg.fonttype": "none",
}
_MAX_NAME, _LONG_NAME = 24, 44
"""Maximum length of a row's name: on a narrow chart, and on a wide one."""
_NAMES_INCHES, _CHARACTER_INCHES, _GAP_INCHES = 1.25, 0.085, 0.15
_TINY = 1e-6
"""Bits; the interval of what is the same in every document is only a rounding error wide."""
"""Room for the names of the rows; width of a bold character; gap between a bar and its label."""
_MARGIN = 0.035
"""Share of an axis between the names and a dot at 0."""
_SETTINGS = Lock()
"""matplotlib has one set of settings for all threads."""
_MEGA = 1e6
_PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.3g} %")


def ladder_chart(rows: Sequence[LadderRow], width: float = WIDE) -> Figure:
    """Draw bits per character of every predictor, worst on top, with the model highlighted."""
    with style():
        figure, axes = _canvas(width, 0.55 + 0.27 * len(rows))
        colours = [COLOURS["model" if row.kind == "model" else "bar"] for row in rows]
        bits = [row.bits_per_char for row in rows]
        ends = [max(row.bits_per_char, *(row.interval or (0, 0))) for row in rows]
        labels = [
            f"{b:.3f}{_gain(r, rows, width <= NARROW)}" for b, r in zip(bits, rows, strict=True)
        ]
        axes.barh(range(len(rows)), bits, 0.68, color=colours)
        for place, row in enumerate(rows):
            if row.interval and row.interval[1] - row.interval[0] > _TINY:
                axes.hlines(place, *row.interval, color=COLOURS["ink"], lw=1.1)
            axes.annotate(
                labels[place],
                (ends[place], place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                weight="bold" if row.kind == "model" else "normal",
                in_layout=False,
            )
        _name_rows(axes, [row.name for row in rows])
        room = width - _NAMES_INCHES
        axes.set_xlim(0, max(map(_top, ends, labels, repeat(room))))
        axes.set_xlabel("bits per character (lower is better)")
        return figure


def strip_chart(key: str, groups: Sequence[SampleGroup], width: float = NARROW) -> Figure:
    """Draw one metric of every group as a dot with its 95 % interval."""
    with style():
        figure, axes = _canvas(width, 0.3 + 0.34 * len(groups))
        for place, group in enumerate(groups):
            metric = group.metrics.get(key)
            if metric is None or metric.value is None:
                axes.annotate("n/a", (0, place), (6, 0), textcoords="offset points", va="center")
                continue
            colour = COLOURS[group.role]
            if metric.interval:
                axes.hlines(place, *metric.interval, color=colour, lw=2.2, alpha=0.55)
            axes.plot(metric.value, place, "o", color=colour, ms=5.5, clip_on=False)
        _name_rows(axes, [group.name for group in groups])
        axes.set_xlim(*_limits(key, groups))
        if meaning_of(key).unit == "units":
            axes.set_xticks([0, 0.5, 1])
        if meaning_of(key).unit != "number":
            axes.xaxis.set_major_formatter(_PERCENT)
        return figure


def sweep_chart(keys: Sequence[str], groups: Sequence[SampleGroup], width: float = WIDE) -> Figure:
    """Draw every metric against temperature, with lines for the floor and the control."""
    side_by_side = width > NARROW
    rows, columns = (1, len(keys)) if side_by_side else (len(keys), 1)
    with style():
        figure = Figure(figsize=(width, 2.3 if side_by_side else 1.75 * rows))
        panels = figure.subplots(rows, columns, sharex=True, squeeze=False).flat
        for key, axes in zip(keys, panels, strict=True):
            _sweep_panel(axes, key, groups)
        for axes in list(figure.axes)[-columns:]:
            axes.set_xlabel("temperature")
        return figure


def curve_chart(points: Sequence[ReportCurvePoint], width: float = WIDE) -> Figure:
    """Draw bits per character over characters trained on."""
    with style():
        figure, axes = _canvas(width, 2.5, grid="y")
        for name, colour, line in (("train", "bar", "-"), ("validation", "model", ".-")):
            seen = [
                (point.characters, bits)
                for point in points
                if point.characters > 0 and (bits := getattr(point, f"{name}_bits")) is not None
            ]
            if seen:
                axes.plot(*zip(*seen, strict=True), line, color=COLOURS[colour], lw=1.6, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("characters trained on")
        axes.set_ylabel("bits per character")
        axes.legend(frameon=False, loc="upper right")
        return figure


def funnel_chart(steps: Sequence[FunnelStep], width: float = WIDE) -> Figure:
    """Draw the megabytes left after every rule, and in a lighter shade what the rule dropped."""
    with style():
        figure, axes = _canvas(width, 0.5 + 0.27 * len(steps))
        places = range(len(steps))
        roomy = width > NARROW
        left = [step.bytes_left / _MEGA for step in steps]
        lost = [step.bytes_dropped / _MEGA for step in steps]
        axes.barh(places, left, 0.68, color=COLOURS["bar"])
        axes.barh(places, lost, 0.68, left=left, color=COLOURS["bar"], alpha=0.35)
        for place, step in enumerate(steps):
            axes.annotate(
                f"{left[place]:,.1f} MB" + (f", {step.files_left:,} files" if roomy else ""),
                (left[place] + lost[place], place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                in_layout=False,
            )
        _name_rows(
            axes, [rule_label(step.reason) for step in steps], _LONG_NAME if roomy else _MAX_NAME
        )
        axes.set_xlim(0, max(map(sum, zip(left, lost, strict=True))) * (1.7 if roomy else 1.4))
        axes.set_xlabel("MB left; light: dropped by the rule")
        return figure


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Write as one inline `<svg>` element that follows the theme of the page.

    Args:
        figure: the chart.
        name: unique on the page; the ids inside derive from it.
        description: read by screen readers.
    """
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with style(), mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    text = re.sub(r' id="[A-Za-z][\w.]*_\d{1,4}"', "", buffer.getvalue())
    for role, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{role})")
    opening = f'<svg role="img" aria-label="{escape(visible(description))}" '
    return opening + text[text.index("<svg ") + len("<svg ") :].strip()


def to_data_uri(figure: Figure) -> str:
    """Write as a PNG on white, in a data URI."""
    return "data:image/png;base64," + base64.b64encode(to_png(figure)).decode("ascii")


def to_png(figure: Figure) -> bytes:
    """Write as a PNG on white."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(
            buffer,
            format="png",
            dpi=130,
            metadata={"Software": None},
            transparent=False,
            facecolor="white",
        )
    return buffer.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the report, independently of the user's matplotlibrc."""
    with _SETTINGS, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def _canvas(width: float, height: float, grid: Literal["x", "y"] = "x") -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    axes.grid(axis=grid)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure, axes


def _name_rows(axes: Axes, names: Sequence[str], longest: int = _MAX_NAME) -> None:
    """Label rows from top to bottom; long names are cut, to leave room for the chart."""
    shown = [visible(name) for name in names]
    labels = [name if len(name) <= longest else name[:longest] + "\u2026" for name in shown]
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _top(end: float, label: str, inches: float) -> float:
    """End of an axis of this length at which a bar's label fits after its end."""
    return end / max(0.2, 1 - (len(label) * _CHARACTER_INCHES + _GAP_INCHES) / inches)


def _gain(row: LadderRow, rows: Sequence[LadderRow], brief: bool) -> str:
    """Suffix of the model's figure: the difference to the best n-gram."""
    rivals = [other.bits_per_char for other in rows if other.kind == "ngram"]
    if row.kind != "model" or not rivals:
        return ""
    gain = min(rivals) - row.bits_per_char
    if brief:
        return f" ({-gain:+.3f})"
    side = "below" if gain >= 0 else "above"
    return f" ({abs(gain):.3f} {side} n-gram)"


def _limits(key: str, groups: Sequence[SampleGroup]) -> tuple[float, float]:
    """Axis limits, from just below 0, that include every value; shares of units end at 100 %."""
    metrics = [group.metrics[key] for group in groups if key in group.metrics]
    tops = [high for m in metrics for high in (m.value or 0.0, *(m.interval or ()))]
    if meaning_of(key).unit == "units":
        return -_MARGIN, 1.0
    top = max(tops, default=0.0) * 1.06 or 1.0
    return -_MARGIN * top, top


def _sweep_panel(axes: Axes, key: str, groups: Sequence[SampleGroup]) -> None:
    """Draw one metric of the sweep."""
    roles: tuple[Role, ...] = ("floor", "control")
    for group in groups:
        metric = group.metrics.get(key)
        if group.role in roles and metric is not None and metric.value is not None:
            axes.axhline(metric.value, color=COLOURS[group.role], lw=1.3, ls=(0, (4, 2)))
    seen = [
        (group.temperature, metric.value, metric.interval or (metric.value, metric.value))
        for group in groups
        if group.temperature is not None
        and (metric := group.metrics.get(key)) is not None
        and metric.value is not None
    ]
    for temperature, _, (low, high) in seen:
        axes.vlines(temperature, low, high, color=COLOURS["model"], lw=2.2, alpha=0.5)
    axes.plot([t for t, _, _ in seen], [v for _, v, _ in seen], "o-", color=COLOURS["model"])
    axes.grid(axis="y")
    axes.margins(0.15)
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({temperature for temperature, _, _ in seen}))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(meaning_of(key).label, fontsize=9, loc="left")
    if meaning_of(key).unit != "number":
        axes.yaxis.set_major_formatter(_PERCENT)
