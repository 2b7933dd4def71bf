import base64
import dataclasses
import io
import re

import matplotlib.image
import numpy as np
import pytest

from evaluation.report import plots
from evaluation.results import LadderRow, Metric
from tests.evaluation.example import example_evaluation

REPORT = example_evaluation()


def svg_of(figure):
    return plots.to_svg(figure, "chart", "a chart")


def test_the_gain_over_the_best_ngram_is_shown_at_the_bar_of_the_model():
    assert "1.648 (0.053 below n-gram)" in svg_of(plots.ladder_chart(REPORT.ladder))
    narrow = svg_of(plots.ladder_chart(REPORT.ladder, plots.NARROW))
    assert "1.648 (-0.053)" in narrow or "1.648 (\u22120.053)" in narrow


def test_a_model_that_loses_against_the_ngram_is_said_to():
    *rivals, model = REPORT.ladder
    worse = dataclasses.replace(model, bits_per_char=1.9)
    assert "1.900 (0.199 above n-gram)" in svg_of(plots.ladder_chart([*rivals, worse]))


def test_an_interval_as_wide_as_a_rounding_error_is_no_dot():
    uniform = dataclasses.replace(REPORT.ladder[0], bits_per_char=6.757)
    drawn = []
    for width in (0.0, 1e-15, 0.1):
        row = dataclasses.replace(uniform, interval=(6.757 - width, 6.757 + width))
        drawn.append(len(plots.ladder_chart([row]).axes[0].collections))
    assert drawn == [0, 0, 1]


def test_an_svg_takes_its_colours_from_the_page_and_its_names_as_text():
    text = svg_of(plots.strip_chart("function_parse_rate", REPORT.groups))
    assert not any(colour in text for colour in plots.COLOURS.values())
    for role in ("floor", "model", "control", "ink"):
        assert f"var(--{role})" in text
    assert ">n-gram floor</text>" in text
    assert text.startswith('<svg role="img" aria-label="a chart" ')


def test_a_group_without_a_value_is_not_available_rather_than_zero():
    text = svg_of(plots.strip_chart("whole_sample_parse", REPORT.groups))
    assert text.count(">n/a</text>") == len(REPORT.groups)


def test_an_axis_includes_every_interval():
    metric = Metric(value=3.0, n=20, interval=(1.0, 9.0))
    group = dataclasses.replace(REPORT.groups[0], metrics={"longest_run": metric})
    low, high = plots.strip_chart("longest_run", [group]).axes[0].get_xlim()
    assert -0.5 < low < 0
    assert high > 9


@pytest.mark.parametrize(("width", "columns"), [(plots.WIDE, 3), (plots.NARROW, 1)])
def test_the_panels_of_a_sweep_are_side_by_side_or_stacked(width, columns):
    keys = ["function_parse_rate", "copied_fraction_50", "distinct_ngrams"]
    figure = plots.sweep_chart(keys, REPORT.groups, width)
    svg_of(figure)
    assert len({round(axes.get_position().x0, 1) for axes in figure.axes}) == columns


def test_a_long_or_hostile_name_neither_squeezes_the_chart_nor_enters_it():
    steps = [dataclasses.replace(step, reason="<b>\u202e$x$" + "x" * 200) for step in REPORT.funnel]
    text = svg_of(plots.funnel_chart(steps))
    assert "\u202e" not in text
    assert "<b>" not in text
    assert "x" * 100 not in text


def test_a_picture_is_a_png_on_white_without_a_date():
    uri = plots.to_data_uri(plots.curve_chart(REPORT.curve))
    assert uri == plots.to_data_uri(plots.curve_chart(REPORT.curve))
    kind, data = uri.split(",")
    assert kind == "data:image/png;base64"
    png = base64.b64decode(data)
    pixels = np.asarray(matplotlib.image.imread(io.BytesIO(png)))
    assert (pixels[0, 0, :3] == 1).all()
    assert pixels.shape[2] == 3 or (pixels[..., 3] == 1).all()
    assert not re.search(rb"tIME|Software", png)


def test_the_text_of_a_picture_has_enough_contrast():
    """WCAG 2.2, 1.4.3: at least 4.5:1."""
    channels = [int(plots.COLOURS["ink"][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("width", [plots.WIDE, plots.NARROW])
def test_the_label_of_a_model_that_is_worse_than_chance_is_inside(width):
    rows = [
        LadderRow(name=name, kind=kind, bits_per_char=bits, bits_per_byte=bits, interval=interval)
        for name, kind, bits, interval in (
            ("LSTM", "model", 6.9, (5.2, 9.3)),
            ("uniform", "uniform", 6.6, None),
            ("Kneser-Ney 12", "ngram", 1.8, (1.4, 2.5)),
        )
    ]
    figure = plots.ladder_chart(rows, width)
    figure.canvas.draw()
    right = figure.bbox.x1
    labels = figure.axes[0].texts
    assert [label.get_text()[:5] for label in labels] == ["6.900", "6.600", "1.800"]
    assert all(label.get_window_extent().x1 <= right for label in labels)
