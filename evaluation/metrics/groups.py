"""Groups of texts of one origin, every metric of them with its interval.

The model's samples at each temperature, the samples of an n-gram model (the floor) and windows of
held-out text (the control) are cut to the same length and go through the same metrics.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.evidence import TextTallies
from evaluation.metrics.bootstrap import ratio_metric
from evaluation.metrics.diversity import diversity
from evaluation.metrics.originality import CopyIndex, copy_tallies
from evaluation.results import Metric, Role, SampleGroup, Tally, TextScore
from evaluation.scoring.compilers import opinions
from evaluation.scoring.sandbox import score_all
from modeling.vocab import FILE_MARK

PROPORTIONS = ("_rate", "_parse")
"""Endings of the keys of metrics that count successes among units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A group, and the score and all tallies of every text in it, in order."""

    group: SampleGroup
    scores: Sequence[TextScore]
    texts: Sequence[TextTallies]


def judge(
    texts: Sequence[str],
    *,
    name: str,
    role: Role,
    language: str,
    copies: CopyIndex,
    temperature: float | None = None,
    progress: Callable[[float], None] = lambda _fraction: None,
) -> Judged:
    """Score texts of one origin and one length.

    Args:
        texts: samples or windows; file marks between the files in them.
        copies: of the training text.
        progress: is told the fraction done.
    """
    scores, found = [], []
    for done, (text, score, opinion) in enumerate(
        zip(texts, score_all(language, texts), opinions(language, texts), strict=True), start=1
    ):
        scores.append(score)
        form = {**score.tallies, **opinion}
        tallies = {**form, **diversity(text), **copy_tallies(text, copies.spans(text))}
        found.append(
            TextTallies(role=role, temperature=temperature, characters=len(text), tallies=tallies)
        )
        progress(done / len(texts))
    group = SampleGroup(
        name=name,
        role=role,
        temperature=temperature,
        texts=len(texts),
        characters_each=max(map(len, texts), default=0),
        metrics=_metrics(found),
        outcomes=dict(Counter(score.outcome for score in scores)),
    )
    return Judged(group=group, scores=scores, texts=found)


def _metrics(texts: Sequence[TextTallies]) -> dict[str, Metric]:
    tallies: dict[str, list[Tally]] = defaultdict(list)
    for text in texts:
        for key, tally in text.tallies.items():
            tallies[key].append(tally)
    return {key: metric_of(key, values) for key, values in tallies.items()}


def metric_of(key: str, tallies: Sequence[Tally]) -> Metric:
    """The metric `key` over many texts."""
    return ratio_metric(tallies, proportion=key.endswith(PROPORTIONS))


def windows(texts: Sequence[str], *, length: int, at_most: int) -> list[str]:
    """Cut held-out files, joined by file marks, into windows of `length`, one after another.

    Fewer than `at_most` come out of a small corpus; at least one does, shorter if need be.
    """
    joined = FILE_MARK.join(texts)
    starts = range(0, max(1, len(joined) - length + 1), length)
    return [joined[start : start + length] for start in starts[:at_most]]
