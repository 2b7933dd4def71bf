"""The verdict in one sentence."""

from collections.abc import Sequence

from evaluation.baselines.ladder import best_ngram, model_row
from evaluation.metrics.catalogue import FEW_UNITS, meaning_of, value_text
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.report.facts import Training
from evaluation.report.training_threats import has_diverged
from evaluation.results import LadderRow, Metric, Recommendation, SampleGroup


def verdict(
    title: str,
    ladder: Sequence[LadderRow],
    groups: Sequence[SampleGroup],
    headline: str | None,
    recommended: Recommendation | None = None,
    *,
    training: Training,
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
    if has_diverged(ladder, training):
        return f"The training diverged. {sentence}."
    return f"{sentence}{_validity(groups, headline, recommended)}."


def _validity(
    groups: Sequence[SampleGroup], headline: str | None, recommended: Recommendation | None
) -> str:
    """Valid units at one temperature, by number and share, with floor and control."""
    if headline is None:
        return ""
    label = meaning_of(headline).label.lower()
    quoted = headline_group(groups, headline, recommended)
    if quoted is None:
        return "; no sample has a whole function or block, so nothing can be said of validity"
    group, metric = quoted
    others = {g.role: g.metrics for g in groups if g.role != "model"}

    def compared(key: str) -> tuple[str, str]:
        floor, control = (others.get(role, {}).get(key) for role in ("floor", "control"))
        return value_text(key, floor), value_text(key, control)

    floor, control = compared(headline)
    share = f"{label}: {value_text(headline, metric)} (n-gram samples {floor}, real text {control})"
    place = f"; at temperature {group.temperature:g}"
    if group.degenerate:
        place += ", where the samples are degenerate,"
    new = group.metrics.get(NEW_UNITS)
    if new is None or new.value is None:
        return f"{place} {share}"
    floor, control = compared(NEW_UNITS)
    written = value_text(NEW_UNITS, new)
    unit = "functions" if headline == "function_parse_rate" else "blocks"
    return (
        f"{place} it writes {written} valid, original {unit} per kB "
        f"(n-gram samples {floor}, real text {control}); {share}"
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
    """The temperature with the highest headline metric; None if the samples have no units.

    Those with few units rank after the others, and degenerate ones last.
    """
    rated = [
        (group, metric)
        for group in groups
        if group.role == "model" and headline and (metric := group.metrics.get(headline))
        if metric.value is not None
    ]

    def rank(pair: tuple[SampleGroup, Metric]) -> tuple[bool, bool, float]:
        group, metric = pair
        return not group.degenerate, metric.n >= FEW_UNITS, metric.value or 0.0

    return max(rated, key=rank, default=None)
