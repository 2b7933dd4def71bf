import math

import pytest

from evaluation.metrics.bootstrap import position, ratio_metric
from evaluation.results import Metric, Tally


def tallies_of(amounts, of):
    return [Tally(amount, units) for amount, units in zip(amounts, of, strict=True)]


def test_the_value_is_the_ratio_of_sums_not_the_mean_of_ratios():
    metric = ratio_metric([Tally(1, 1), Tally(0, 9)])
    assert metric.value == 0.1
    assert metric.n == 10


def test_nothing_counted_is_not_available():
    assert ratio_metric([]) == Metric(value=None, n=0)
    assert ratio_metric([Tally(0, 0), Tally(0, 0)]) == Metric(value=None, n=0)


def test_one_sample_has_a_value_but_no_interval():
    assert ratio_metric([Tally(3, 4)]) == Metric(value=0.75, n=4)
    assert ratio_metric([Tally(3, 4), Tally(0, 0)], "units") == Metric(value=0.75, n=4)


def test_means_that_are_equal_have_an_interval_of_no_width():
    assert ratio_metric([Tally(1, 2)] * 5).interval == (0.5, 0.5)


def test_samples_without_units_change_nothing():
    tallies = tallies_of([1, 4, 2], [5, 5, 6])
    assert ratio_metric([*tallies, Tally(0, 0)]) == ratio_metric(tallies)


def test_the_interval_is_the_same_every_time():
    tallies = tallies_of([1, 4, 2, 3], [5, 5, 6, 9])
    assert ratio_metric(tallies) == ratio_metric(tallies)


def test_one_unit_per_sample_gives_the_interval_of_wilson():
    z = 1.959963984540054
    wins, trials = 7, 20
    share, shrink = wins / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / shrink
    metric = ratio_metric([Tally(1, 1)] * wins + [Tally(0, 1)] * (trials - wins), "units")
    assert metric.interval == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_one_length_per_sample_is_no_proportion():
    low, high = ratio_metric([Tally(60, 1), Tally(80, 1), Tally(0, 1)]).interval
    assert low == 0
    assert high == 80


def test_bits_per_character_have_an_interval_over_documents():
    metric = ratio_metric(tallies_of([4.0, 2.0, 0.0, 56.0], [2, 1, 0, 7]))
    assert metric.value == 6.2
    assert metric.n == 10
    low, high = metric.interval
    assert 2 <= low < 6.2 < high <= 8


def test_position_runs_from_floor_to_control():
    assert position(0.2, 0.2, 0.8) == 0
    assert position(0.8, 0.2, 0.8) == 1
    assert position(0.5, 0.2, 0.8) == pytest.approx(0.5)
    assert position(0.5, 0.8, 0.2) == pytest.approx(0.5)
    assert position(0.95, 0.2, 0.8) == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("value", "floor", "control"),
    [(None, 0.1, 0.9), (0.5, None, 0.9), (0.5, 0.1, None), (0.5, 0.9, 0.9)],
)
def test_position_without_two_ends_is_not_available(value, floor, control):
    assert position(value, floor, control) is None
