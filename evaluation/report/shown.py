"""Which samples a report shows: by a stated rule, never by taste."""

from collections.abc import Sequence

from evaluation.results import ShownSample


def first_samples(
    samples: Sequence[ShownSample], *, first: float | None, number: int
) -> list[ShownSample]:
    """The first samples of each temperature, those at one temperature before all others.

    Within a temperature degenerate samples come after the others, so they are shown only where
    there are too few others.

    Args:
        samples: all of the model, in the order of their seeds at each temperature.
        first: the recommended temperature, None without one.
        number: of samples per temperature.
    """
    temperatures = sorted({sample.temperature for sample in samples})
    chosen: list[ShownSample] = []
    for temperature in sorted(temperatures, key=lambda each: each != first):
        group = [sample for sample in samples if sample.temperature == temperature]
        chosen += sorted(group, key=lambda sample: bool(sample.degenerate))[:number]
    return chosen
