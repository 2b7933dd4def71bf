"""The view model of the report templates, and their number formats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.metrics.bootstrap import position
from evaluation.metrics.catalogue import MEANINGS, meaning_of, value_text
from evaluation.metrics.new_units import NEW_UNITS
from evaluation.report.marking import line_of
from evaluation.report.verdict import best_temperature
from evaluation.results import (
    Evaluation,
    LadderRow,
    PreviousRun,
    Role,
    SampleGroup,
    ShownSample,
    Threat,
)
from system.clock import duration

MAX_HISTORY = 20
"""Rows of the history table; older runs have their own reports."""
UNJUDGED = 0.05
"""Share of a sample that matters: less of it before or after an unfinished string does not."""
_SWEPT = (NEW_UNITS, "copied_fraction_50", "distinct_ngrams", "repetition")


@dataclass(frozen=True, slots=True)
class View:
    """An evaluation in the order of its report."""

    report: Evaluation

    @property
    def groups(self) -> list[SampleGroup]:
        """Floor, the model by temperature, control."""
        order = {"floor": 0, "model": 1, "control": 2}
        return sorted(self.report.groups, key=lambda g: (order[g.role], g.temperature or 0.0))

    @property
    def validity_keys(self) -> list[str]:
        """Keys of the validity metrics: new units, the headline, the others."""
        keys = [key for key in self._keys() if meaning_of(key).validity]
        return sorted(keys, key=lambda key: (key != NEW_UNITS, key != self.report.headline))

    @property
    def originality_keys(self) -> list[str]:
        """Keys of the metrics of originality and diversity."""
        return [key for key in self._keys() if not meaning_of(key).validity]

    @property
    def sweep_keys(self) -> list[str]:
        """Keys to draw against temperature, empty with fewer than two temperatures."""
        temperatures = {group.temperature for group in self.groups if group.role == "model"}
        wanted = [self.report.headline, *_SWEPT]
        keys = [key for key in wanted if key in self._keys()]
        return [key for key in keys if key][:3] if len(temperatures) > 1 else []

    @property
    def model(self) -> LadderRow:
        """The model's row of the ladder."""
        return next(row for row in self.report.ladder if row.kind == "model")

    @property
    def train_note(self) -> str:
        """Bits of the model on text that it was trained on, empty if that was not scored."""
        train = self.model.train_bits_per_char
        if train is None:
            return ""
        return (
            f"On text that it was trained on, the {self.model.name} needs {bits(train)} bits per "
            "character; far fewer than on held-out files would mean that it has memorised the text."
        )

    @property
    def static_rows(self) -> list[LadderRow]:
        """The rows of the ladder that are comparable with the model, including the model."""
        return [row for row in self.report.ladder if row.kind != "adaptive"]

    @property
    def adaptive_rows(self) -> list[LadderRow]:
        """The rows that adapt to the held-out text."""
        return [row for row in self.report.ladder if row.kind == "adaptive"]

    @property
    def grave_threats(self) -> list[Threat]:
        """The threats of this run, shown next to the verdict."""
        return [threat for threat in self.report.threats if not threat.is_general]

    @property
    def general_threats(self) -> list[Threat]:
        """The threats of the method, shown at the end."""
        return [threat for threat in self.report.threats if threat.is_general]

    @property
    def recommendation(self) -> str:
        """The recommended temperature in words, empty if there is none."""
        found = self.report.recommended
        if found is None:
            return ""
        if found.is_degenerate:
            return (
                "No temperature can be recommended: the samples of all are degenerate. Those at "
                f"{found.temperature:g} are the least unlike real text."
            )
        left_out = [
            f"{group.temperature:g}"
            for group in self.groups
            if group.role == "model" and group.degenerate
        ]
        others = f" Degenerate, and no candidates: {', '.join(left_out)}." if left_out else ""
        if found.tried == 1:
            return (
                f"Sample at temperature {found.temperature:g}, the only one of those tried whose "
                f"samples are not degenerate.{others}"
            )
        names = _listed([meaning_of(key).label.lower() for key in found.metrics])
        certainty = (
            f"the choice is the same in {share(found.share)} of the resamples of the texts"
            if found.low == found.high
            else f"95 % of the resamples of the texts choose {found.low:g} to {found.high:g}"
        )
        return (
            f"Sample at temperature {found.temperature:g}: of those tried, it gives the samples "
            f"most like real text in {names}; {certainty}.{others}{self._best_elsewhere()}"
        )

    def _best_elsewhere(self) -> str:
        """The temperature with the highest headline metric, empty if it is the recommended one."""
        key, found = self.report.headline, self.report.recommended
        best = best_temperature(self.report.groups, key)
        if key is None or found is None or best is None or best[0].temperature == found.temperature:
            return ""
        return (
            f" {meaning_of(key).label} alone would be highest at {best[0].temperature:g} "
            f"({value_text(key, best[1])})."
        )

    @property
    def rule_of_samples(self) -> str:
        """How the samples that are shown were chosen."""
        found = self.report.recommended
        per_temperature = Counter(sample.temperature for sample in self.report.samples)
        number = max(per_temperature.values(), default=0)
        first = f", temperature {found.temperature:g} before the others" if found else ""
        return (
            f"Of each temperature the first {number} in the order of their seeds{first}; "
            "degenerate samples only where there are too few others. Nothing else is selected. "
            "Each starts a new file."
        )

    @property
    def history(self) -> Sequence[PreviousRun]:
        """The first MAX_HISTORY rows of the history."""
        return self.report.history[:MAX_HISTORY]

    @property
    def curve_caption(self) -> str:
        """Size and duration of the training."""
        last = self.report.curve[-1]
        return f"{last.characters:,} characters in {duration(last.seconds)}."

    def is_counted(self, key: str) -> bool:
        """Whether any group has a value of this metric."""
        metrics = (group.metrics.get(key) for group in self.groups)
        return any(metric is not None and metric.value is not None for metric in metrics)

    def position_text(self, key: str, group: SampleGroup) -> str:
        """Format the position of a group's value between floor (0) and control (1)."""
        metric = group.metrics.get(key)
        value = position(
            metric.value if metric else None, self._value("floor", key), self._value("control", key)
        )
        return "n/a" if value is None else f"{value + 0.0:.2f}"

    def _keys(self) -> list[str]:
        """Every metric of any group, in the order of the catalogue, with unknown ones last."""
        seen = dict.fromkeys(key for group in self.report.groups for key in group.metrics)
        order = list(MEANINGS)
        return sorted(seen, key=lambda key: order.index(key) if key in order else len(order))

    def _value(self, role: Role, key: str) -> float | None:
        found = (group.metrics.get(key) for group in self.groups if group.role == role)
        return next((metric.value for metric in found if metric), None)


def unfinished_part(sample: ShownSample) -> str:
    """How much of a sample an unfinished string or comment makes impossible to judge, in words.

    Empty if there is none, or only a short one at the end.
    """
    if sample.unfinished is None or not sample.text:
        return ""
    if sample.unfinished <= UNJUDGED * len(sample.text):
        return "unfinished string or comment to the end: nothing could be judged"
    left = len(sample.text) - sample.unfinished
    if left <= UNJUDGED * len(sample.text):
        return ""
    line = line_of(sample.text, sample.unfinished)
    return (
        f"unfinished string or comment from line {line} to the end: its {left:,} characters "
        "could not be judged"
    )


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def bits(value: float | None) -> str:
    """Format bits per character or byte: "1.648"."""
    return "n/a" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """Format a share of one: "71.4 %"."""
    return "n/a" if value is None else f"{100 * value:.1f} %"


def amount(value: float, unit: str) -> str:
    """Format a compared figure in its unit."""
    formats = {"bits": bits, "share": share}
    return formats[unit](value) if unit in formats else f"{value:.3g}"


def count(value: int) -> str:
    """Format a count: "10,000"."""
    return f"{value:,}"


def megabytes(size: int) -> str:
    """Format bytes as MB of 1,000,000: "10.31"."""
    return f"{size / 1e6:,.2f}"


def outcomes(counts: Mapping[str, int]) -> str:
    """Format outcomes: "19 ok, 1 timeout"."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
