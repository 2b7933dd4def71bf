import numpy as np
import pytest

from benchmarks.intervals import coverage
from evaluation.metrics.bootstrap import difference_interval, ratio_metric
from evaluation.metrics.groups import metric_of
from evaluation.results import Tally

RATE, PER_KB, COPIED = "function_parse_rate", "nesting_mismatches_per_kb", "copied_fraction_50"


def percent(key, tallies):
    low, high = metric_of(key, tallies).interval
    return round(100 * low, 1), round(100 * high, 1)


@pytest.mark.parametrize(
    ("valid", "units", "interval"),
    [
        ([0] * 8, [1] * 8, (0.0, 36.9)),  # Clopper and Pearson's, independent trials
        ([1] * 3, [1] * 3, (29.2, 100.0)),
        ([0] * 20, [1] * 20, (0.0, 16.8)),
        ([0] * 19 + [0], [10] * 19 + [1], (0.0, 4.4)),  # 0 of 191: 0 to 1.9 if independent
    ],
)
def test_none_or_all_of_few_units_prove_neither_impossibility_nor_certainty(valid, units, interval):
    assert percent(RATE, [Tally(*pair) for pair in zip(valid, units, strict=True)]) == interval


def test_nothing_found_in_any_text_has_an_upper_limit_in_every_kind_of_metric():
    assert percent(PER_KB, [Tally(0, 10)] * 20) == (0.0, 1.8)  # 3.7 events in 200 kB
    low, high = metric_of(COPIED, [Tally(0, 10_000)] * 20).interval
    assert low == 0
    assert 0.01 < high < 0.04
    low, high = metric_of(COPIED, [Tally(10_000, 10_000)] * 20).interval
    assert 0.96 < low < 0.99
    assert high == 1


def test_correlated_units_widen_the_interval():
    independent = percent(RATE, [Tally(5, 10)] * 20)
    correlated = percent(RATE, [Tally(0, 10), Tally(10, 10)] * 10)
    assert correlated[1] - correlated[0] > 35 > 20 > independent[1] - independent[0]


def test_an_interval_never_leaves_0_to_100_and_contains_its_value():
    generator = np.random.default_rng(5)
    for _ in range(200):
        units = generator.integers(1, 30, generator.integers(2, 30))
        valid = generator.binomial(units, generator.uniform(size=len(units)))
        metric = metric_of(RATE, [Tally(*pair) for pair in zip(valid, units, strict=True)])
        low, high = metric.interval
        assert 0 <= low <= metric.value <= high <= 1


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.8, 0.98])
@pytest.mark.parametrize(("texts", "correlation"), [(20, 0.1), (60, 0.1), (20, 0.0)])
def test_the_interval_contains_the_truth_about_as_often_as_it_promises(rate, texts, correlation):
    """Units of one text share its own rate, as functions of one sample do."""
    share, _ = coverage(rate, texts=texts, units=12, correlation=correlation, experiments=800)
    assert share >= 0.93


def test_it_is_not_much_wider_than_it_must_be():
    share, width = coverage(0.5, texts=20, units=12, correlation=0.1, experiments=400)
    assert share <= 0.985
    # 20 texts with 12 units and a design effect of 2.2: about 4 * .5 / sqrt(240 / 2.2).
    assert width == pytest.approx(0.19, abs=0.03)


def test_it_is_hardly_wider_than_it_must_be_for_independent_units():
    share, _ = coverage(0.5, texts=20, units=12, correlation=0.0, experiments=800)
    assert 0.94 <= share <= 0.972


def test_a_difference_of_two_zeros_is_not_known_to_be_zero():
    none = metric_of(RATE, [Tally(0, 1)] * 8)
    low, high = difference_interval(none, none)
    assert low == pytest.approx(-0.369, abs=1e-3)
    assert high == pytest.approx(0.369, abs=1e-3)
    single = ratio_metric([Tally(1, 2)])
    assert difference_interval(none, single) is None


def test_a_clear_difference_has_an_interval_without_zero():
    low, high = difference_interval(
        metric_of(RATE, [Tally(1, 10)] * 20), metric_of(RATE, [Tally(9, 10)] * 20)
    )
    assert 0.6 < low < 0.8 < high < 0.9
