"""The recommended temperature: the one whose samples are most like real text.

The most valid samples are not always the best: the lower the temperature, the more a model repeats
itself. So the distance to the control covers validity and diversity: the mean of
|value - control| / control over the headline metric, distinct 6-grams and compressed size. Samples
and control are resampled together, which shows how much the choice depends on chance.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.evidence import TextTallies
from evaluation.metrics.bootstrap import CONFIDENCE, RESAMPLES, SEED, ratio_metric, resampled_ratios
from evaluation.results import Recommendation, Tally

DIVERSITY = ("distinct_ngrams", "repetition")

Floats = NDArray[np.float64]


def recommend(texts: Sequence[TextTallies], headline: str | None) -> Recommendation | None:
    """Choose among the temperatures of the samples; None if there are fewer than two.

    Args:
        texts: all samples and windows of one evaluation.
        headline: key of the validity metric, None for prose.
    """
    groups: dict[float, list[TextTallies]] = {}
    for text in texts:
        if text.role == "model" and text.temperature is not None:
            groups.setdefault(text.temperature, []).append(text)
    control = [text for text in texts if text.role == "control"]
    keys = [key for key in (headline, *DIVERSITY) if key and _value(control, key)]
    temperatures = sorted(groups)
    if len(temperatures) < 2 or not keys:
        return None
    distances = np.array([_distance(groups[t], control, keys) for t in temperatures])
    chosen = np.array(temperatures)[distances.argmin(axis=0)]
    best = _point_choice({t: groups[t] for t in temperatures}, control, keys)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(chosen, [tail, 1 - tail], method="nearest")
    return Recommendation(
        temperature=best,
        low=float(low),
        high=float(high),
        share=float((chosen == best).mean()),
        metrics=tuple(keys),
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
