"""What the runs say about a claim: a difference, its interval, and a verdict in words.

A difference is taken seed by seed, so what a seed does to all arms cancels; the interval is
Student's over the seeds. It says how sure the difference is on these corpora, not on others.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from benchmarks.claims.experiments import Claim, Measure

Figures = Mapping[Measure, float | None]
"""Of one run."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a measure bears a claim out.

    Attributes:
        difference: mean over the seeds, positive if it is as claimed.
        interval: of the mean, None with fewer than two seeds.
    """

    measure: Measure
    difference: float
    interval: tuple[float, float] | None

    @property
    def words(self) -> str:
        """The verdict in words."""
        if self.interval is None:
            return "no evidence: one seed"
        low, high = self.interval
        if low > 0:
            return "holds"
        return "the opposite holds" if high < 0 else "no evidence"


def verdicts(claim: Claim, results: Mapping[str, Sequence[Figures]]) -> list[Verdict]:
    """Judge a claim by every measure that all its arms have.

    Args:
        results: by label of the arm, the figures of every seed, in the same order.
    """
    found = []
    for measure in claim.measures:
        pairs = [
            (_mean(one, claim.better, measure), _mean(one, claim.worse, measure))
            for one in _by_seed(results)
        ]
        sign = -1 if measure == "bits" else 1
        differences = [sign * (a - b) for a, b in pairs if a is not None and b is not None]
        if differences:
            found.append(
                Verdict(
                    measure=measure,
                    difference=statistics.fmean(differences),
                    interval=interval(differences),
                )
            )
    return found


def interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of a mean; None with fewer than two values."""
    if len(differences) < 2:
        return None
    centre, error = statistics.fmean(differences), stats.sem(differences)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * error
    return float(centre - half), float(centre + half)


def _by_seed(results: Mapping[str, Sequence[Figures]]) -> list[dict[str, Figures]]:
    seeds = min(map(len, results.values()), default=0)
    return [{label: runs[seed] for label, runs in results.items()} for seed in range(seeds)]


def _mean(figures: Mapping[str, Figures], labels: Sequence[str], measure: Measure) -> float | None:
    values = [figures[label].get(measure) for label in labels if label in figures]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(labels) else None
