"""Results of an evaluation: the records behind report.json, report.html and report.md.

Plain frozen dataclasses without behaviour. A metric whose denominator is 0 has the value None
("n/a"), never 0 or 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from corpora.corpus.summary import FunnelStep

Role = Literal["model", "floor", "control"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The contribution of one sample to a ratio metric: `amount` out of `of` (units, kB, ...).

    Every sample metric is a ratio of sums over samples, so one bootstrap over samples serves all
    of them.
    """

    amount: float
    of: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An error in a text: its character offset and message."""

    offset: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """The score of one text.

    Attributes:
        tallies: metric keys (as in `charmill score`) with their tallies in this text.
        first_error: the first syntax error or bracket fault, None if there is none.
        outcome: "ok", or why there is no score: "timeout"; "crash", also for lack of memory;
            "bug", an exception in a scorer; "unreadable".
    """

    tallies: Mapping[str, Tally]
    first_error: Mark | None = None
    outcome: Literal["ok", "timeout", "crash", "bug", "unreadable"] = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric over many samples: sum of amounts / sum of denominators.

    Attributes:
        value: the ratio, None where nothing was counted.
        n: the denominator, rounded; it shows how much evidence the value rests on.
        interval: 95 % bootstrap interval over samples, None where it cannot be computed.
    """

    value: float | None
    n: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGroup:
    """All texts of one origin: the model at one temperature, the floor, or the control.

    Attributes:
        degenerate: why its texts are unlike any real text, in words; empty if they are not.
    """

    name: str
    role: Role
    temperature: float | None
    texts: int
    characters_each: int
    metrics: Mapping[str, Metric]
    outcomes: Mapping[str, int]
    degenerate: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRow:
    """Held-out likelihood of one predictor. All rows of a ladder score the same characters.

    Attributes:
        kind: "adaptive" learns from the held-out text while it scores it; all other kinds are
            static, and only static rows are comparable with the model.
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
class ReportCurvePoint:
    """The fields of a point of the learning curve that the report shows.

    Attributes:
        characters: characters trained so far.
        seconds: wall time so far.
        train_bits, validation_bits: bits per character, None where not measured.
    """

    characters: int
    seconds: float
    train_bits: float | None
    validation_bits: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedSpan:
    """A span of a sample that occurs verbatim in the training text.

    Attributes:
        start, end: character offsets in the sample, end exclusive.
        path, license: of the first training file that contains it.
    """

    start: int
    end: int
    path: str
    license: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSample:
    """A sample as the report shows it.

    Attributes:
        surprisal: bits of every character under the model at temperature 1, (len(text),).
        unfinished: where a string or comment begins that does not end in the sample, None if there
            is none.
        degenerate: the ways in which it is unlike any real text, in words.
    """

    seed: int
    temperature: float
    text: str
    first_error: Mark | None
    copied: Sequence[CopiedSpan]
    surprisal: Sequence[float]
    unfinished: int | None = None
    degenerate: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """A reason to distrust a conclusion of the report.

    Attributes:
        kind: a short name: "undertrained", "few held-out files".
        text: what was found, in one or two sentences.
        remedy: what to do about it, empty if nothing can be done.
        command: that does it, empty if none does.
        is_general: it holds for every report, or for the method; such threats come last.
    """

    kind: str
    text: str
    remedy: str = ""
    command: str = ""
    is_general: bool = False


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
    """One figure in two runs.

    Attributes:
        unit: "bits" (per character), "share" (of one) or "number".
        interval: 95 % interval of new - old, None where there is too little data.
        words: the change in words; its direction only if the change is significant.
    """

    label: str
    unit: str
    old: float
    new: float
    interval: tuple[float, float] | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of two runs of a dataset.

    Attributes:
        shared_documents: held-out files that both scored, matched by digest.
        changes: bits first, if the runs share enough files.
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
        low, high: range of the temperatures that 95 % of the resamples choose.
        share: of the resamples that choose this temperature.
        metrics: keys of the metrics whose distance to the control was measured.
        tried: number of temperatures it was chosen from; degenerate ones are left out.
        is_degenerate: its samples are degenerate, as those of all temperatures are.
    """

    temperature: float
    low: float
    high: float
    share: float
    metrics: Sequence[str]
    tried: int
    is_degenerate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything the report says about one run of one dataset.

    Attributes:
        headline: key of the validity metric in the verdict, None for prose.
        verdict: one sentence: how good the model is, and compared with what.
        ladder: sorted from worst to best; exactly one row has kind "model".
        split: files and characters of each split ("train", "validation", "test").
        cost: label to text, in order ("training" -> "3 min 0 s, 31,200 characters/s, 2 cores").
        identity: label to text, in order (commit, corpus digest, model digest, seeds, versions).
        threats: reasons to distrust this report, the gravest first.
        recommended: the temperature to sample at, None with fewer than two to choose from.
        change: since the previous run, None if there is none to compare with.
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
    curve: Sequence[ReportCurvePoint]
    funnel: Sequence[FunnelStep]
    licenses: Mapping[str, int]
    split: Mapping[str, tuple[int, int]]
    notes: Sequence[str]
    samples: Sequence[ShownSample]
    cost: Mapping[str, str]
    identity: Mapping[str, str]
    threats: Sequence[Threat]
    history: Sequence[PreviousRun] = field(default_factory=tuple)
    recommended: Recommendation | None = None
    change: Comparison | None = None
