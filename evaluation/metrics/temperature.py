"""The recommended temperature: the one whose samples are most like real text.

The most valid samples are not always the best: the lower the temperature, the more a model repeats
itself. So the distance to the control covers validity, valid original units and diversity: the mean
of |value - control| / control over the headline metric, new units per kB, distinct 6-grams and
compressed size. Samples and control are resampled together, which shows how much the choice depends
on chance. A temperature whose samples are degenerate is no candidate, unless all are.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.evidence import TextTallies
from evaluation.metrics.bootstrap import RESAMPLES, SEED, ratio_metric, resampled_ratios
from evaluation.metrics.degeneration import degenerate_temperatures
from evaluation.metrics.intervals import TAIL
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.results import Recommendation, Tally

DIVERSITY = ("distinct_ngrams", "repetition")

Floats = NDArray[np.float64]


def recommend(texts: Sequence[TextTallies], headline: str | None) -> Recommendation | None:
    """Choose among the temperatures of the samples; None if there are fewer than two.

    Args:
        texts: all samples and windows of one evaluation.
        headline: key of the validity metric, None for prose.
    """
    every: dict[float, list[TextTallies]] = {}
    for text in texts:
        if text.role == "model" and text.temperature is not None:
            every.setdefault(text.temperature, []).append(text)
    bad = degenerate_temperatures(texts)
    groups = {t: every[t] for t in sorted(every) if t not in bad or len(bad) == len(every)}
    control = [text for text in texts if text.role == "control"]
    keys = [
        key
        for key in (headline, NEW_UNITS, *DIVERSITY)
        if key and _value(control, key) and any(_value(group, key) for group in groups.values())
    ]
    if len(every) < 2 or not keys:
        return None
    distances = np.array([_distance(group, control, keys) for group in groups.values()])
    chosen = np.array(list(groups))[distances.argmin(axis=0)]
    best = _point_choice(groups, control, keys)
    low, high = np.quantile(chosen, [TAIL, 1 - TAIL], method="nearest")
    return Recommendation(
        temperature=best,
        low=float(low),
        high=float(high),
        share=float((chosen == best).mean()),
        metrics=tuple(keys),
        tried=len(groups),
        is_degenerate=best in bad,
    )


def _point_choice(
    groups: Mapping[float, Sequence[TextTallies]], control: Sequence[TextTallies], keys: list[str]
) -> float:
    """The choice for the texts without resampling."""

    def distance(temperature: float) -> float:
        pairs = [(_value(groups[temperature], key), _value(control, key)) for key in keys]
        return sum(abs(value / real - 1) for value, real in pairs)

    return min(groups, key=distance)


def _distance(
    texts: Sequence[TextTallies], control: Sequence[TextTallies], keys: Sequence[str]
) -> Floats:
    """Sum of the relative distances to the control in every resample, (RESAMPLES,)."""
    generator = np.random.default_rng(SEED)
    total = np.zeros(RESAMPLES)
    for key in keys:
        real = resampled_ratios(_tallies(control, key), generator)
        counted = _tallies(texts, key)
        values = resampled_ratios(counted, generator) if counted else np.zeros(RESAMPLES)
        total += np.abs(values - real) / np.maximum(real, np.finfo(float).tiny)
    return total


def _tallies(texts: Sequence[TextTallies], key: str) -> list[Tally]:
    tallies = (text.tallies.get(key) for text in texts)
    return [tally for tally in tallies if tally and tally.of > 0]


def _value(texts: Sequence[TextTallies], key: str) -> float:
    """The metric, 0 if nothing was counted: samples without units are unlike real text."""
    return ratio_metric(_tallies(texts, key)).value or 0.0
