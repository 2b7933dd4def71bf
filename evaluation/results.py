"""What an evaluation found: the records that report.json, report.html and report.md are made of.

Plain frozen dataclasses, no behaviour but the arithmetic that defines them. A metric whose
denominator is empty has the value None ("n/a"), never 0 or 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from corpora.corpus.summary import FunnelStep

Role = Literal["model", "floor", "control"]


@dataclass(frozen=True, slots=True)
class Tally:
    """One sample's share of a ratio metric: `amount` out of `of` (units, kilobytes, ...).

    Every sample metric is a ratio of sums over samples, so that the bootstrap over samples is
    the same for all of them.
    """

    amount: float
    of: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a text that deserves a note: character offset and what is wrong there."""

    offset: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """What a scorer found in one text.

    Attributes:
        tallies: metric key (as in `charmill score`) to its tally in this text.
        first_error: the first syntax error or bracket fault, None if there is none.
        outcome: "ok", or why there is no score: "timeout", "crash", "unreadable".
    """

    tallies: Mapping[str, Tally]
    first_error: Mark | None = None
    outcome: Literal["ok", "timeout", "crash", "unreadable"] = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric over many samples: sum of amounts / sum of denominators.

    Attributes:
        value: the ratio, None where nothing was counted.
        n: the denominator (how many units, rounded), to tell a rate from an anecdote.
        interval: 95 % bootstrap interval over samples, None where it cannot be formed.
    """

    value: float | None
    n: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroup:
    """All texts of one origin: the model at one temperature, the floor, or the control."""

    name: str
    role: Role
    temperature: float | None
    texts: int
    characters_each: int
    metrics: Mapping[str, Metric]
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRow:
    """Held-out likelihood of one predictor. All rows of a ladder score the same characters.

    Attributes:
        kind: "adaptive" learns from the held-out text while it is asked about it; all other kinds
            are static, and only static rows compare with the model.
    """

    name: str
    kind: Literal["uniform", "unigram", "ngram", "model", "adaptive"]
    bits_per_char: float
    bits_per_byte: float
    train_bits_per_char: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def perplexity_per_char(self) -> float:
        """2 to the power of bits per character."""
        return 2.0**self.bits_per_char


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One point of the learning curve. Bits are bits per character."""

    characters: int
    seconds: float
    train_bits: float | None
    validation_bits: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedSpan:
    """A span of a sample that stands verbatim in the training text.

    Attributes:
        start, end: character offsets in the sample, end exclusive.
        path, license: the training file where it was found first.
    """

    start: int
    end: int
    path: str
    license: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSample:
    """One uncurated sample as the report shows it.

    Attributes:
        surprisal: bits of every character under the model at temperature 1, len == len(text).
    """

    seed: int
    temperature: float
    text: str
    first_error: Mark | None
    copied: Sequence[CopiedSpan]
    surprisal: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousRun:
    """One row of the history table."""

    key: str
    created: str
    preset: str
    bits_per_char: float
    gain_over_ngram: float | None
    headline_metric: float | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure of two runs.

    Attributes:
        unit: "bits" (per character), "share" (of one) or "number".
        interval: 95 % interval of new - old, None where there is too little to form it.
        words: the change in plain words, with its direction only where it is beyond chance.
    """

    label: str
    unit: str
    old: float
    new: float
    interval: tuple[float, float] | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs of a dataset, beside each other.

    Attributes:
        shared_documents: held-out files, the same by digest, that both scored.
        changes: bits first, if enough files are shared.
    """

    old_key: str
    new_key: str
    old_documents: int
    new_documents: int
    shared_documents: int
    shared_characters: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The temperature at which samples are most like real text.

    Attributes:
        low, high: the temperatures that 95 % of the resamples choose lie between these.
        share: of the resamples that choose this very temperature.
        metrics: keys of the metrics whose distance to the control was taken.
    """

    temperature: float
    low: float
    high: float
    share: float
    metrics: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything the report says about one run of one dataset.

    Attributes:
        headline: key of the validity metric that stands in the verdict, None for prose.
        verdict: one sentence: how good, compared with what.
        ladder: sorted from worst to best; exactly one row has kind "model".
        split: per split ("train", "validation", "test"): files, characters.
        cost: label to text, in order ("training" -> "3 min 0 s, 31,200 characters/s, 2 cores").
        identity: label to text, in order (commit, corpus digest, model digest, seeds, versions).
        threats: sentences: what this report can not tell.
        recommended: the temperature to sample at, None unless there were two to choose from.
        change: since the run before, None if there is none to compare with.
    """

    dataset: str
    title: str
    description: str
    language: str
    key: str
    created: str
    verdict: str
    headline: str | None
    ladder: Sequence[LadderRow]
    groups: Sequence[SampleGroup]
    curve: Sequence[CurvePoint]
    funnel: Sequence[FunnelStep]
    licenses: Mapping[str, int]
    split: Mapping[str, tuple[int, int]]
    notes: Sequence[str]
    samples: Sequence[ShownSample]
    cost: Mapping[str, str]
    identity: Mapping[str, str]
    threats: Sequence[str]
    history: Sequence[PreviousRun] = field(default_factory=tuple)
    recommended: Recommendation | None = None
    change: Comparison | None = None
