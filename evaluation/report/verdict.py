"""The verdict in one sentence, and the limitations of a report."""

from collections.abc import Iterator, Sequence

from evaluation.baselines.ladder import best_ngram, model_row
from evaluation.metrics.catalogue import FEW_UNITS, meaning_of, value_text
from evaluation.results import LadderRow, Metric, Recommendation, SampleGroup

LOW_CONTROL = 0.9
FEW_FILES = 10


def verdict(
    title: str,
    ladder: Sequence[LadderRow],
    groups: Sequence[SampleGroup],
    headline: str | None,
    recommended: Recommendation | None = None,
) -> str:
    """How good the model is, compared with the best n-gram, the floor and the control."""
    model, rival = model_row(ladder), best_ngram(ladder)
    difference = rival.bits_per_char - model.bits_per_char
    sense = "fewer" if difference >= 0 else "more"
    sentence = (
        f"On held-out files of {title} the {model.name} needs {model.bits_per_char:.3f} bits per "
        f"character, {abs(difference):.3f} {sense} than the best n-gram "
        f"({rival.name}, {rival.bits_per_char:.3f})"
    )
    return f"{sentence}{_validity(groups, headline, recommended)}."


def _validity(
    groups: Sequence[SampleGroup], headline: str | None, recommended: Recommendation | None
) -> str:
    """The headline metric at one temperature, with floor and control."""
    if headline is None:
        return ""
    label = meaning_of(headline).label.lower()
    quoted = headline_group(groups, headline, recommended)
    if quoted is None:
        return f"; its samples have no units to count {label}"
    group, metric = quoted
    by_role = {g.role: g.metrics.get(headline) for g in groups if g.role != "model"}
    return (
        f"; {label}: {value_text(headline, metric)} at temperature {group.temperature:g} "
        f"(n-gram samples {value_text(headline, by_role.get('floor'))}, "
        f"real text {value_text(headline, by_role.get('control'))})"
    )


def headline_group(
    groups: Sequence[SampleGroup], headline: str | None, recommended: Recommendation | None
) -> tuple[SampleGroup, Metric] | None:
    """The samples whose headline metric is quoted for the model, the same in all texts.

    Those at the recommended temperature; if there is none, or nothing to count at it, those with
    the highest metric.
    """
    if headline and recommended:
        for group in groups:
            metric = group.metrics.get(headline)
            is_recommended = group.role == "model" and group.temperature == recommended.temperature
            if is_recommended and metric and metric.value is not None:
                return group, metric
    return best_temperature(groups, headline)


def best_temperature(
    groups: Sequence[SampleGroup], headline: str | None
) -> tuple[SampleGroup, Metric] | None:
    """The temperature with the highest headline metric; those with few units rank last.

    None if the model's samples have no units.
    """
    rated = [
        (group, metric)
        for group in groups
        if group.role == "model" and headline and (metric := group.metrics.get(headline))
        if metric.value is not None
    ]
    return max(rated, key=lambda pair: (pair[1].n >= FEW_UNITS, pair[1].value or 0), default=None)


def warnings(groups: Sequence[SampleGroup], headline: str | None, test_files: int) -> Iterator[str]:
    """Reasons to read the figures of this report with care.

    Args:
        test_files: number of held-out files that the ladder scores.
    """
    if test_files < FEW_FILES:
        yield f"Only {test_files} held-out files: another split could change the bits considerably."
    control = next((g for g in groups if g.role == "control"), None)
    metric = control.metrics.get(headline) if control and headline else None
    if metric and metric.value is not None and metric.value < LOW_CONTROL:
        yield (
            f"Real text itself reaches only {metric.value:.0%} in the headline metric: compare the "
            "samples with that, not with 100 %."
        )
    lost = sum(number for g in groups for name, number in g.outcomes.items() if name != "ok")
    if lost:
        yield f"{lost} of {sum(g.texts for g in groups)} texts could not be scored completely."


def threats(
    *,
    model_name: str,
    groups: Sequence[SampleGroup],
    headline: str | None,
    test_files: int,
    baseline_share: float,
    python: str | None,
    no_compiler: str | None,
) -> Iterator[str]:
    """The limitations of this report: the threats to the validity of its conclusions.

    Args:
        model_name: name of the model in the ladder.
        test_files: number of held-out files that the ladder scores.
        baseline_share: share of the training characters in the n-gram counts.
        python: version of the interpreter that parsed the samples, None for other languages.
        no_compiler: why no compiler checked the blocks, None if one did or the language has none.
    """
    yield (
        "The intervals come from resampling the texts of one trained model: they do not include "
        "the variation between training seeds."
    )
    yield from warnings(groups, headline, test_files)
    if baseline_share < 1:
        yield (
            f"The n-grams have seen {baseline_share:.0%} of the training text, "
            f"the {model_name} all of it."
        )
    if no_compiler:
        yield no_compiler
    if python:
        yield (
            f"Python code was parsed by Python {python}: valid code for another version may fail; "
            "the control shows how much does."
        )
