"""What changed between two evaluations of a dataset, and whether the change is significant.

Bits are paired: only documents that both runs scored count, and the interval comes from a bootstrap
over the differences, so a document that is hard for both does not widen it. Samples are not paired:
the intervals of both sides are combined. An interval that contains 0 is no evidence of a change.
"""

from collections.abc import Iterator, Mapping, Sequence

from evaluation.evidence import DocumentBits, Evidence
from evaluation.metrics.bootstrap import difference_interval, ratio_metric
from evaluation.metrics.catalogue import meaning_of
from evaluation.metrics.groups import metric_of
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.results import Change, Comparison, Tally

EXTRA_METRICS = (NEW_UNITS, "copied_fraction_50", "repetition")
"""Compared besides the headline; more rows would show more differences due to chance."""
MIN_PAIRS = 6
"""With fewer there is no verdict: by chance five differences have the same sign in 1 of 16 cases,
and then their bootstrap interval does not contain 0."""
NO_EVIDENCE = "no evidence of a change"


def compare_evaluations(
    old: Evidence, new: Evidence, *, old_key: str, new_key: str, headline: str | None
) -> Comparison:
    """Compare two evaluations of a dataset.

    Args:
        old, new: evidence of the two evaluations.
        old_key, new_key: their keys.
        headline: key of the dataset's validity metric, None for prose.
    """
    pairs = _pairs(old.documents, new.documents)
    keys = [key for key in (headline, *EXTRA_METRICS) if key]
    return Comparison(
        old_key=old_key,
        new_key=new_key,
        old_documents=len(old.documents),
        new_documents=len(new.documents),
        shared_documents=len(pairs),
        shared_characters=sum(one.characters for one, _ in pairs),
        changes=[*_bits(pairs), *_samples(old, new, keys)],
    )


def summary(comparison: Comparison) -> str:
    """The comparison in one sentence."""
    shared, total = comparison.shared_documents, comparison.new_documents
    where = f"on {shared} of {total} held-out files (those that both runs scored)"
    if not comparison.changes or comparison.changes[0].unit != "bits":
        return f"Too few files to compare bits: {shared} of {total} were scored by both runs."
    return f"Bits per character, {where}: {comparison.changes[0].words}."


def _pairs(
    old: Sequence[DocumentBits], new: Sequence[DocumentBits]
) -> list[tuple[DocumentBits, DocumentBits]]:
    """The documents that both have, matched by digest, without duplicates."""
    known = {document.sha256: document for document in old}
    shared = {document.sha256: document for document in new if document.sha256 in known}
    return [(known[digest], document) for digest, document in shared.items()]


def _bits(pairs: Sequence[tuple[DocumentBits, DocumentBits]]) -> Iterator[Change]:
    """Changes in bits of the model and of its best n-gram, on the shared documents."""
    if len(pairs) < MIN_PAIRS:
        return
    characters = sum(one.characters for one, _ in pairs)
    for label, name in (("model", "model_bits"), ("best n-gram", "ngram_bits")):
        before = [getattr(one, name) for one, _ in pairs]
        after = [getattr(two, name) for _, two in pairs]
        differences = [
            Tally(y - x, one.characters)
            for x, y, (one, _) in zip(before, after, pairs, strict=True)
        ]
        yield _change(
            f"bits per character, {label}",
            "bits",
            "lower",
            (sum(before) / characters, sum(after) / characters),
            ratio_metric(differences).interval,
        )


def _samples(old: Evidence, new: Evidence, keys: Sequence[str]) -> Iterator[Change]:
    """Changes in the samples, at every temperature and length that both have."""
    before, after = _by_temperature(old), _by_temperature(new)
    for temperature in sorted(before.keys() & after.keys()):
        for key in keys:
            one = before[temperature].get(key, [])
            two = after[temperature].get(key, [])
            old_metric, new_metric = metric_of(key, one), metric_of(key, two)
            if old_metric.value is None or new_metric.value is None:
                continue
            meaning = meaning_of(key)
            yield _change(
                f"{meaning.label.lower()}, temperature {temperature[0]:g}",
                "number" if meaning.unit == "number" else "share",
                meaning.better,
                (old_metric.value, new_metric.value),
                difference_interval(old_metric, new_metric)
                if min(len(one), len(two)) >= MIN_PAIRS
                else None,
            )


def _by_temperature(
    evidence: Evidence,
) -> Mapping[tuple[float, int], Mapping[str, list[Tally]]]:
    """Tallies with units, by temperature and length of the samples, then by metric."""
    model = [text for text in evidence.texts if text.role == "model"]
    length = max((text.characters for text in model), default=0)
    groups: dict[tuple[float, int], dict[str, list[Tally]]] = {}
    for text in model:
        assert text.temperature is not None
        group = groups.setdefault((text.temperature, length), {})
        for key, tally in text.tallies.items():
            if tally.of > 0:
                group.setdefault(key, []).append(tally)
    return groups


def _change(
    label: str,
    unit: str,
    better: str,
    values: tuple[float, float],
    interval: tuple[float, float] | None,
) -> Change:
    return Change(
        label=label,
        unit=unit,
        old=values[0],
        new=values[1],
        interval=interval,
        words=_words(unit, better, values[1] - values[0], interval),
    )


def _words(unit: str, better: str, difference: float, interval: tuple[float, float] | None) -> str:
    """The change in words: a direction only if the interval does not contain 0."""
    if interval is None:
        return "too few texts for a verdict"
    low, high = interval
    if low <= 0 <= high:
        return (
            f"{NO_EVIDENCE} ({_signed(unit, difference)}, 95 % interval {_range(unit, *interval)})"
        )
    good = {"higher": difference > 0, "lower": difference < 0}.get(better)
    up = "higher" if difference > 0 else "lower"
    direction = up if good is None else "better" if good else "worse"
    sizes = sorted((abs(low), abs(high)))
    return f"{direction} by {_size(unit, abs(difference))}, 95 % interval {_range(unit, *sizes)}"


def _size(unit: str, value: float) -> str:
    if unit == "share":
        return f"{100 * value:.1f} points"
    return f"{value:.3f} bits" if unit == "bits" else f"{value:.3g}"


def _signed(unit: str, value: float) -> str:
    return f"{'-' if value < 0 else '+'}{_size(unit, abs(value))}"


def _range(unit: str, low: float, high: float) -> str:
    if unit == "share":
        return f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{low:.3f} to {high:.3f}" if unit == "bits" else f"{low:.3g} to {high:.3g}"
