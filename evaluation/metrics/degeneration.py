"""Degenerate text: pages of blanks, loops, text without units, found by comparison with real text.

A text is degenerate in a property if it is far worse than nearly all windows of held-out text: the
limit is set from the value that one window in ten exceeds. A temperature is degenerate if a quarter
of its samples are, or if they hold less than half as many units per kB as real text.
Measured on Python's standard library after one minute of training (control: longest run of one
character 34 on average, 52 in the worst tenth): temperature .5 was degenerate in 20 of 20 samples
(longest run 2,020 on average), .8 in 7 of 20 (191), 1 in 1 of 20 (63).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.evidence import TextTallies

MIN_SHARE = 0.25
"""Share of degenerate samples from which on a temperature is degenerate."""
MIN_UNITS_OF_CONTROL = 0.5
UNITS = "units_per_kb"
MIN_CONTROL_UNITS = 10
"""With fewer units in real text, their number per kB is too uncertain to compare with."""
SAME_LENGTH = 0.9
"""Share of a sample's length from which on a window can be compared with it."""
TENTH = 0.1
RULE = 100
"""The longest run that can be a rule across the page: a comment's line of stars or dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property that betrays degenerate text.

    Attributes:
        key: of the metric.
        words: how to say that a sample is worse than real text.
        limit: from the control's values, the value beyond which a sample is degenerate.
        above: whether the values above the limit are degenerate, otherwise those below.
        depends_on_length: the value of a short window says nothing of a long sample.
    """

    key: str
    words: str
    limit: Callable[[Sequence[float]], float]
    above: bool
    depends_on_length: bool = True

    def holds(self, value: float, limit: float) -> bool:
        """Whether a sample with this value is degenerate."""
        return value > limit if self.above else value < limit


PROPERTIES = (
    Property(
        key="longest_run",
        words="endless runs of one character",
        limit=lambda real: max(RULE, 3 * float(np.quantile(real, 1 - TENTH))),
        above=True,
    ),
    Property(
        key="repetition",
        words="endless repetition",
        limit=lambda real: float(np.quantile(real, TENTH)) / 2,
        above=False,
    ),
    Property(
        key="blank_fraction",
        words="mostly blank",
        limit=lambda real: (1 + float(np.quantile(real, 1 - TENTH))) / 2,
        above=True,
        depends_on_length=False,
    ),
)


class RealText:
    """What the windows of held-out text are like.

    Args:
        control: the windows.
        length: of the samples, in characters.
    """

    def __init__(self, control: Sequence[TextTallies], length: int) -> None:
        comparable = min((w.characters for w in control), default=0) >= SAME_LENGTH * length
        self._limits = {
            each: each.limit(values)
            for each in PROPERTIES
            if (comparable or not each.depends_on_length) and (values := _values(control, each.key))
        }
        self._control = control

    def faults_of(self, sample: TextTallies) -> list[str]:
        """The ways in which one sample is degenerate, in words."""
        return [
            each.words
            for each, limit in self._limits.items()
            if any(each.holds(value, limit) for value in _values([sample], each.key))
        ]

    def faults_of_group(self, samples: Sequence[TextTallies]) -> Iterator[str]:
        """Why a temperature is degenerate, in words; nothing if it is not."""
        found = [self.faults_of(sample) for sample in samples]
        bad = [faults for faults in found if faults]
        if bad and len(bad) >= MIN_SHARE * len(samples):
            kinds = dict.fromkeys(fault for faults in bad for fault in faults)
            yield f"{len(bad)} of {len(samples)} samples are degenerate ({', '.join(kinds)})"
        real, rate = _rate(self._control), _rate(samples)
        enough = sum(t.tallies[UNITS].amount for t in self._control if UNITS in t.tallies)
        if real is None or rate is None or enough < MIN_CONTROL_UNITS:
            return
        if rate < MIN_UNITS_OF_CONTROL * real:
            yield f"{rate:.2f} functions or blocks per kB, real text {real:.2f}"


def degenerate_temperatures(texts: Sequence[TextTallies]) -> Mapping[float, tuple[str, ...]]:
    """Every temperature whose samples are degenerate, with the reasons.

    Args:
        texts: all samples and windows of one evaluation.
    """
    samples: dict[float, list[TextTallies]] = {}
    for text in texts:
        if text.role == "model" and text.temperature is not None:
            samples.setdefault(text.temperature, []).append(text)
    real = real_text(texts)
    reasons = {each: tuple(real.faults_of_group(group)) for each, group in samples.items()}
    return {temperature: why for temperature, why in reasons.items() if why}


def real_text(texts: Sequence[TextTallies]) -> RealText:
    """The control among all samples and windows of one evaluation."""
    length = max((text.characters for text in texts if text.role == "model"), default=0)
    return RealText([text for text in texts if text.role == "control"], length)


def _values(texts: Sequence[TextTallies], key: str) -> list[float]:
    tallies = (text.tallies.get(key) for text in texts)
    return [tally.amount / tally.of for tally in tallies if tally and tally.of > 0]


def _rate(texts: Sequence[TextTallies]) -> float | None:
    """Units per kB of all texts, None if the language has no units."""
    tallies = [text.tallies[UNITS] for text in texts if UNITS in text.tallies]
    kilobytes = sum(tally.of for tally in tallies)
    return sum(tally.amount for tally in tallies) / kilobytes if kilobytes else None
