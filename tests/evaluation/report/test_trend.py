"""The chart of a dataset's reports."""

import pytest

from evaluation.report.plots import NARROW, WIDE, to_svg
from evaluation.report.trend import MAX_DOTS, Series, trend_chart


def svg(*series: Series, width: float = WIDE) -> str:
    return to_svg(trend_chart(series, width), "trend", "trend chart")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_series_has_a_panel_with_its_label(width):
    bits = Series(label="bits", values=(2.0, 1.9), rival=(1.8, 1.8))
    share = Series(label="parses", values=(0.1, None), intervals=((0.0, 0.2), None), is_share=True)
    page = svg(bits, share, width=width)
    for text in (">bits<", ">parses<", ">model<", ">best n-gram<", "%<", ">1<", ">2<"):
        assert text in page


def test_a_figure_that_no_report_has_leaves_an_empty_panel():
    assert ">none<" in svg(Series(label="none", values=(None, None)))


def test_one_report_is_a_dot_and_many_are_a_line():
    few = svg(Series(label="bits", values=(1.0,)))
    many = svg(Series(label="bits", values=tuple(map(float, range(MAX_DOTS + 1)))))
    assert few.count("<use") > many.count("<use") - 20
    assert len(many) < 40_000


def test_equal_reports_give_equal_bytes():
    series = Series(label="bits", values=(2.0, 1.9))
    assert svg(series) == svg(series)
