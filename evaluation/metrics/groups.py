"""Score groups of texts of one origin: every metric with its interval.

The model's samples at each temperature, the samples of an n-gram model (the floor) and windows of
held-out text (the control) have the same length and are scored by the same metrics.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.evidence import TextTallies
from evaluation.metrics.bootstrap import ratio_metric
from evaluation.metrics.diversity import diversity
from evaluation.metrics.intervals import Kind
from evaluation.metrics.new_units import new_unit_tally, of_judged_part
from evaluation.metrics.originality import CopyIndex, copy_tallies
from evaluation.results import Metric, Role, SampleGroup, Tally, TextScore
from evaluation.scoring.compilers import compiler_tallies
from evaluation.scoring.judged import Judged, judge
from evaluation.scoring.sandbox import score_all
from modeling.vocab import FILE_MARK

KINDS: Mapping[str, Kind] = {
    "_rate": "units",
    "_parse": "units",
    "_fraction": "share",
    "_fraction_50": "share",
    "_per_kb": "count",
}
"""Kinds of metrics by the ends of their keys; all others are means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group, with the scores, units and tallies of each of its texts, in order."""

    group: SampleGroup
    scores: Sequence[TextScore]
    judged: Sequence[Judged]
    texts: Sequence[TextTallies]


def score_group(
    texts: Sequence[str],
    *,
    name: str,
    role: Role,
    language: str,
    copies: CopyIndex,
    temperature: float | None = None,
    progress: Callable[[float], None] = lambda _fraction: None,
) -> ScoredGroup:
    """Score texts of one origin and one length.

    Args:
        texts: samples or windows; file marks between the files in them.
        copies: index of the training text.
        progress: called with the fraction done.
    """
    tallied = []
    from_start = role != "control"
    scores = list(score_all(language, texts, shape="sample" if from_start else "window"))
    judged = list(judge(language, texts, from_start=from_start))
    compiled_tallies = compiler_tallies(language, texts, from_start=from_start)
    results = zip(texts, scores, judged, compiled_tallies, strict=True)
    for done, (text, score, found, compiled) in enumerate(results, start=1):
        validity = of_judged_part(score.tallies, len(text), found.unfinished)
        tallies = validity | compiled | _originality(text, found, copies)
        tallied.append(
            TextTallies(role=role, temperature=temperature, characters=len(text), tallies=tallies)
        )
        progress(done / len(texts))
    group = SampleGroup(
        name=name,
        role=role,
        temperature=temperature,
        texts=len(texts),
        characters_each=max(map(len, texts), default=0),
        metrics=_metrics(tallied),
        outcomes=dict(Counter(score.outcome for score in scores)),
    )
    return ScoredGroup(group=group, scores=scores, judged=judged, texts=tallied)


def _originality(text: str, found: Judged, copies: CopyIndex) -> dict[str, Tally]:
    """What is new in a text, how varied it is, and what it copies."""
    spans = copies.spans(text)
    return {**new_unit_tally(text, found, spans), **diversity(text), **copy_tallies(text, spans)}


def _metrics(texts: Sequence[TextTallies]) -> dict[str, Metric]:
    tallies: dict[str, list[Tally]] = defaultdict(list)
    for text in texts:
        for key, tally in text.tallies.items():
            tallies[key].append(tally)
    return {key: metric_of(key, values) for key, values in tallies.items()}


def metric_of(key: str, tallies: Sequence[Tally]) -> Metric:
    """The metric `key` over many texts."""
    kinds: list[Kind] = [kind for end, kind in KINDS.items() if key.endswith(end)]
    return ratio_metric(tallies, kinds[0] if kinds else None)


def windows(texts: Sequence[str], *, length: int, at_most: int) -> list[str]:
    """Cut held-out files, joined by file marks, into windows of `length`, one after another.

    A small corpus gives fewer than `at_most`, but at least one, which may be shorter.
    """
    joined = FILE_MARK.join(texts)
    starts = range(0, max(1, len(joined) - length + 1), length)
    return [joined[start : start + length] for start in starts[:at_most]]
