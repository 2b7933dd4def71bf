"""How often the 95 % interval of a share of units contains the truth, by simulation.

python -m benchmarks.intervals [EXPERIMENTS]

Every text has its own rate, drawn from a beta distribution, and 1 + Poisson units, so the units of
one text have the correlation of the row. 60 control windows and 20 samples of 10,000 characters
have some 12 units each. Takes two minutes for 2,000 experiments.
"""

import sys

import numpy as np

from evaluation.metrics.intervals import units_interval

RATES = (0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98)
TEXTS_AND_UNITS = ((10, 12), (20, 3), (20, 12), (20, 30), (60, 12))
CORRELATIONS = (0.0, 0.05, 0.1, 0.2)


def coverage(
    rate: float, *, texts: int, units: int, correlation: float, experiments: int, seed: int = 0
) -> tuple[float, float]:
    """Share of the experiments whose interval contains `rate`, and the mean width.

    Args:
        rate: the true share of valid units.
        texts: of one experiment.
        units: mean of one text.
        correlation: of the units of one text.
        experiments: to simulate.
        seed: of the random numbers.
    """
    generator = np.random.default_rng(seed)
    hits, width = 0, 0.0
    for _ in range(experiments):
        numbers = 1 + generator.poisson(units - 1, texts)
        rates: object = rate
        if correlation:
            spread = 1 / correlation - 1
            rates = generator.beta(rate * spread, (1 - rate) * spread, texts)
        valid = generator.binomial(numbers, rates)
        low, high = units_interval(valid.astype(float), numbers.astype(float))
        hits += low <= rate <= high
        width += high - low
    return hits / experiments, width / experiments


def main(experiments: int) -> None:
    """Print a Markdown table of the coverage in per cent."""
    print(f"| texts | units per text | correlation | {' | '.join(f'{r:g}' for r in RATES)} |")
    print(f"|{'---|' * (3 + len(RATES))}")
    for texts, units in TEXTS_AND_UNITS:
        for correlation in CORRELATIONS:
            shares = [
                coverage(
                    rate,
                    texts=texts,
                    units=units,
                    correlation=correlation,
                    experiments=experiments,
                )[0]
                for rate in RATES
            ]
            cells = " | ".join(f"{100 * share:.1f}" for share in shares)
            print(f"| {texts} | {units} | {correlation:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
