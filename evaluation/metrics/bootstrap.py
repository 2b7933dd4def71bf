"""Combine the tallies of many samples into one figure with a confidence interval.

Shares of units have the intervals of `intervals`. All other ratios have a bootstrap over samples,
because what one sample contributes is correlated: the percentiles of the ratio over resamples
(Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.metrics.intervals import CONFIDENCE, Kind, edge_interval, units_interval
from evaluation.results import Metric, Tally

RESAMPLES = 4999
BATCH = 500
"""Resamples held in memory at once."""
SEED = 0

Floats = NDArray[np.float64]


def ratio_metric(tallies: Sequence[Tally], kind: Kind | None = None) -> Metric:
    """Sum of amounts over sum of denominators, with the 95 % interval.

    Samples without units carry no information about the ratio and are left out. With fewer than
    two samples there is no interval.

    Args:
        tallies: one per sample.
        kind: of the ratio; None for any other, such as a mean.
    """
    counted = np.array([(t.amount, t.of) for t in tallies if t.of > 0], np.float64)
    if not len(counted):
        return Metric(value=None, n=0)
    amounts, of = counted.T
    return Metric(
        value=float(amounts.sum() / of.sum()),
        n=round(of.sum()),
        interval=_interval(amounts, of, kind),
    )


def resampled_ratios(tallies: Sequence[Tally], generator: np.random.Generator) -> Floats:
    """Ratios of sums over resamples of the samples that have units, (RESAMPLES,).

    Raises:
        ValueError: no sample has any.
    """
    counted = np.array([(t.amount, t.of) for t in tallies if t.of > 0], np.float64)
    if not len(counted):
        raise ValueError("tallies: nothing was counted, so there is nothing to resample")
    chosen = generator.integers(0, len(counted), (RESAMPLES, len(counted)))
    amounts, of = counted[chosen].sum(axis=1).T
    return amounts / of


def difference_interval(old: Metric, new: Metric) -> tuple[float, float] | None:
    """95 % interval of `new` minus `old`, of independent texts; None if one has no interval.

    It combines the distances of both values to the ends of their intervals (Newcombe, "Interval
    Estimation for the Difference Between Independent Proportions", 1998, method 10).
    """
    if old.value is None or new.value is None or not (old.interval and new.interval):
        return None
    difference = new.value - old.value
    below = math.hypot(new.value - new.interval[0], old.interval[1] - old.value)
    above = math.hypot(new.interval[1] - new.value, old.value - old.interval[0])
    return difference - below, difference + above


def position(value: float | None, floor: float | None, control: float | None) -> float | None:
    """Position of a value on the scale from floor (0) to control (1).

    Values outside the range give positions below 0 or above 1. None if a value is missing, or if
    floor and control are equal.
    """
    if value is None or floor is None or control is None or floor == control:
        return None
    return (value - floor) / (control - floor)


def _interval(amounts: Floats, of: Floats, kind: Kind | None) -> tuple[float, float] | None:
    if len(amounts) == 1:
        return None
    if kind == "units":
        return units_interval(amounts, of)
    if at_edge := edge_interval(kind, amounts, of):
        return at_edge
    interval = stats.bootstrap(
        (amounts, of),
        _ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _ratio(amounts: Floats, of: Floats, axis: int) -> Floats:
    return amounts.sum(axis) / of.sum(axis)
