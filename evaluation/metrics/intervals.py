"""95 % intervals of shares of units and of rare events, which a bootstrap cannot give.

Where no unit or every unit is valid, all resamples are equal and a bootstrap would say 0 to 0 %.
So shares of units have Wilson's score interval (Brown, Cai and DasGupta, "Interval Estimation for a
Binomial Proportion", 2001), and at 0 and 100 % the exact one of Clopper and Pearson. The units of
one text are correlated, so their number is divided by the design effect (Korn and Graubard,
"Confidence Intervals for Proportions with Small Expected Number of Positive Counts", 1998): 1 +
(units per text - 1) * correlation.

The correlation is estimated from the texts. Few valid or few broken units say little about it, and
none say nothing, so the estimate is averaged with PRIOR. Its weight is the square of the number of
texts with valid or with broken units, whichever are fewer; PRIOR weighs as PRIOR_TEXTS of them. An
estimate below 0 counts as it is: cut off at 0, the mean of many would be too large, and so would
the intervals of independent units. Weights and prior are those that came closest to 95 % in
`python -m benchmarks.intervals`, which simulates how often the interval contains the truth. For
real samples the correlation was measured between 0 and .1.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
PRIOR = 0.15
"""Correlation of the units of one text, before any are seen."""
PRIOR_TEXTS = 2
LEAST_EFFECT = 0.1
"""Least design effect: a very negative correlation is an accident of few texts."""

Kind = Literal["units", "share", "count"]
"""Successes among units, a share of characters or lines, or events per amount of text."""
Interval = tuple[float, float]
Floats = NDArray[np.float64]


def units_interval(valid: Floats, units: Floats) -> Interval:
    """Interval of the share of valid units.

    Args:
        valid, units: of every text that has units, (texts,), at least two.
    """
    share = valid.sum() / units.sum()
    number = units.sum() / _design_effect(valid, units)
    if share in (0, 1):
        return exact_at_edge(float(share), float(number))
    # Student's t: the correlation, and so the width, is itself an estimate.
    z = float(stats.t.isf(TAIL, len(units) - 1)) if units.max() > 1 else stats.norm.isf(TAIL)
    shrink = 1 + z * z / number
    centre = (share + z * z / (2 * number)) / shrink
    half = z * math.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2) / shrink
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def edge_interval(kind: Kind | None, amounts: Floats, of: Floats) -> Interval | None:
    """Interval where every text has the least or the greatest value possible, else None."""
    share = amounts.sum() / of.sum()
    if kind == "share" and share in (0, 1):
        return exact_at_edge(float(share), float(of.sum() / _design_effect(amounts, of)))
    if kind == "count" and share == 0:
        # Poisson: the rate at which no event at all has probability TAIL.
        return 0.0, -math.log(TAIL) / float(of.sum())
    return None


def exact_at_edge(share: float, number: float) -> Interval:
    """Clopper and Pearson's interval where none or all of `number` trials succeeded."""
    reach = TAIL ** (1 / number)
    return (reach, 1.0) if share else (0.0, 1 - reach)


def _design_effect(valid: Floats, units: Floats) -> float:
    """Factor by which the correlation within texts multiplies the variance of the share."""
    texts, total = len(units), units.sum()
    share = valid.sum() / total
    size = float((units**2).sum() / total)
    if size <= 1:
        return 1.0
    correlation = 0.0
    if 0 < share < 1:
        residuals = valid - share * units
        variance = texts / (texts - 1) * (residuals**2).sum() / total**2
        correlation = (variance * total / (share * (1 - share)) - 1) / (size - 1)
    telling = float(min((valid > 0).sum(), (valid < units).sum()))
    weight = telling**2 / (telling**2 + PRIOR_TEXTS**2)
    shrunk = weight * correlation + (1 - weight) * PRIOR
    return max(LEAST_EFFECT, 1 + (size - 1) * min(float(shrunk), 1.0))
