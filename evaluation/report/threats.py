"""Reasons to distrust a report, each with what to do about it: one list, the gravest first.

The HTML page shows the grave ones next to the verdict and the general ones at its end; Markdown,
JSON, the index and the command line show the same records.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.baselines.ladder import model_row
from evaluation.results import LadderRow, ReportCurvePoint, SampleGroup, Threat

LOW_CONTROL = 0.9
FEW_FILES = 10
FEW_WINDOWS = 10
STILL_FALLING = 0.02
"""Bits that the second half of less than an epoch must gain to show that training was too short."""
STEEP = 0.15
"""The same for an epoch or more. The falling learning rate alone gains about .1 bits."""
ROSE, COLLAPSED = 0.02, 0.5
"""Rise of the validation bits after their minimum: overtrained, or diverged."""
MEMORISED = 0.7
"""Bits on training text, as a share of those on held-out text."""
UNLIKE = 0.15
"""Relative difference of the bits on the two held-out parts."""
ENOUGH_EPOCHS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the model was trained.

    Attributes:
        characters: trained on, in all.
        epoch: characters of the training text.
        curve: validation bits over characters, in order.
    """

    characters: int
    epoch: int
    seconds: float
    learning_rate: float
    curve: Sequence[ReportCurvePoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that threats are derived from.

    Attributes:
        dataset: its name, for commands.
        model_name: name of the model in the ladder.
        groups: scored samples, with the reasons why any are degenerate.
        headline: key of the validity metric, None for prose.
        test_files: number of held-out files that the ladder scores.
        validation_bits: of the model per character of the validation files, None without any.
        near_copies: held-out files with a near-copy in the training text, None if not searched for.
        baseline_share: share of the training characters in the n-gram counts.
        python: version of the interpreter that parsed the samples, None for other languages.
        no_compiler: why no compiler checked the blocks, None if one did or the language has none.
    """

    dataset: str
    model_name: str
    training: Training
    ladder: Sequence[LadderRow]
    groups: Sequence[SampleGroup]
    headline: str | None
    test_files: int
    validation_bits: float | None
    near_copies: int | None
    baseline_share: float
    python: str | None
    no_compiler: str | None

    def run_with(self, *options: str) -> str:
        """The command that runs this dataset with other options."""
        return f"charmill run {self.dataset} {' '.join(options)}"


def threats(facts: Facts) -> list[Threat]:
    """All threats to the conclusions of one report."""
    checks = (
        *(_diverged, _undertrained, _degenerate, _few_files, _unlike, _near_copies),
        *(_overtrained, _memorised, _small_control, _low_control, _not_scored, _general),
    )
    return [threat for check in checks for threat in check(facts)]


def has_diverged(ladder: Sequence[LadderRow]) -> bool:
    """Whether the model predicts worse than chance."""
    uniform = next((row for row in ladder if row.kind == "uniform"), None)
    return bool(uniform and model_row(ladder).bits_per_char > uniform.bits_per_char)


def _validations(training: Training) -> list[tuple[int, float]]:
    points = ((point.characters, point.validation_bits) for point in training.curve)
    return [(characters, bits) for characters, bits in points if bits is not None]


def _rise(training: Training) -> float:
    """How far the validation bits have risen since their minimum."""
    bits = [bits for _, bits in _validations(training)]
    return bits[-1] - min(bits) if bits else 0.0


def _diverged(facts: Facts) -> Iterator[Threat]:
    rate = facts.training.learning_rate
    if has_diverged(facts.ladder):
        found = f"on held-out files the {facts.model_name} needs more bits than a uniform guess"
    elif _rise(facts.training) > COLLAPSED:
        found = f"the validation bits rose by {_rise(facts.training):.2f} after their minimum"
    else:
        return
    remedy = (
        f"Train with a lower rate: {facts.run_with(f'--set train.learning_rate={rate / 10:g}')}"
    )
    yield Threat(kind="diverged", text=f"The training diverged: {found}.", remedy=remedy)


def _undertrained(facts: Facts) -> Iterator[Threat]:
    training, points = facts.training, _validations(facts.training)
    if len(points) < 2 or has_diverged(facts.ladder):
        return
    share = training.characters / max(training.epoch, 1)
    middle = next(bits for size, bits in points if size >= training.characters / 2)
    gain = middle - points[-1][1]
    if gain < (STILL_FALLING if share < 1 else STEEP):
        return
    factor = max(2.0, ENOUGH_EPOCHS / max(share, 1e-9))
    yield Threat(
        kind="undertrained",
        text=(
            f"The model has read {_epochs(share)} its training text, and in the second half of the "
            f"training its validation bits still fell, from {middle:.2f} to {points[-1][1]:.2f}. "
            "A longer training would give other figures and other samples."
        ),
        remedy="Train longer: "
        + facts.run_with(f"--budget {_budget(factor * training.seconds)}")
        + f" reads it {max(ENOUGH_EPOCHS, 2 * share):.2g} times at the speed of this training.",
    )


def _epochs(share: float) -> str:
    return f"{100 * share:.2g} % of" if share < 1 else f"{share:.2g} times"


def _budget(seconds: float) -> str:
    """A round budget of at least this many seconds, as the option takes it."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)}{unit}"
    return f"{math.ceil(seconds)}s"


def _degenerate(facts: Facts) -> Iterator[Threat]:
    bad = [group for group in facts.groups if group.degenerate]
    if not bad:
        return
    model = [group for group in facts.groups if group.role == "model"]
    found = "; ".join(f"{group.name}: {', '.join(group.degenerate)}" for group in bad)
    highest = max(group.temperature or 0 for group in model)
    higher = ",".join(f"{highest + step:.1f}" for step in (0.0, 0.1, 0.2))
    yield Threat(
        kind="degenerate samples",
        text=f"Unlike any real text: {found}. "
        + (
            "So are the samples of all temperatures: none can be recommended."
            if len(bad) == len(model)
            else "Such a temperature is not recommended, whatever its validity."
        ),
        remedy="Train longer, or try higher temperatures: "
        + facts.run_with(f"--set sample.temperatures=[{higher}]")
        + f". For single texts, charmill sample {facts.dataset} --max-run 80 stops endless runs.",
    )


def _few_files(facts: Facts) -> Iterator[Threat]:
    if facts.test_files < FEW_FILES:
        yield Threat(
            kind="few held-out files",
            text=f"Only {facts.test_files} held-out files were scored: another split could change "
            "the bits considerably.",
            remedy=f"Hold out more: {facts.run_with('--set corpus.split.test=0.2')}",
        )


def _unlike(facts: Facts) -> Iterator[Threat]:
    test, other = model_row(facts.ladder).bits_per_char, facts.validation_bits
    if other and abs(test / other - 1) > UNLIKE and not has_diverged(facts.ladder):
        word = "harder" if test > other else "easier"
        yield Threat(
            kind="held-out text unlike the rest",
            text=f"The test files are {word} than the validation files, which come from the same "
            f"corpus: {test:.2f} bits per character, not {other:.2f}. The figures depend on which "
            "files were held out.",
            remedy=f"Try another split: {facts.run_with('--set corpus.split.salt=second')}",
        )


def _near_copies(facts: Facts) -> Iterator[Threat]:
    if facts.near_copies is None:
        yield Threat(
            kind="near-copies not searched for",
            text="Held-out files may have near-copies in the training text, which would make the "
            "bits too low.",
            remedy="Search for them: "
            + facts.run_with("--set corpus.near_duplicates=decontaminate"),
        )
    elif facts.near_copies:
        yield Threat(
            kind="near-copies left",
            text=f"{_counted(facts.near_copies, 'held-out file')} with a near-copy in the training "
            "text: their bits are too low.",
            remedy="Exclude the files that the section Corpus names, with corpus.exclude in the "
            "dataset's TOML.",
        )


def _overtrained(facts: Facts) -> Iterator[Threat]:
    rise = _rise(facts.training)
    if ROSE < rise <= COLLAPSED and not has_diverged(facts.ladder):
        best = min(_validations(facts.training), key=lambda point: point[1])
        yield Threat(
            kind="overtrained",
            text=f"The validation bits rose by {rise:.2f} after {best[0]:,} characters. The report "
            "is about the model at that point; the rest of the training was in vain.",
            remedy=f"Stop earlier: {facts.run_with(f'--budget {max(best[0] // 1000, 1)}kchars')}, "
            "or use more dropout, as in --preset small.",
        )


def _memorised(facts: Facts) -> Iterator[Threat]:
    row = model_row(facts.ladder)
    train = row.train_bits_per_char
    if train is not None and train < MEMORISED * row.bits_per_char:
        yield Threat(
            kind="memorised",
            text=f"The {facts.model_name} needs {train:.2f} bits per character on text that it was "
            f"trained on, and {row.bits_per_char:.2f} on held-out files: it has memorised much of "
            "its training text.",
            remedy="Use more dropout, or more text: "
            + facts.run_with("--set train.model.dropout=0.5"),
        )


def _small_control(facts: Facts) -> Iterator[Threat]:
    control = _control(facts)
    length = max((g.characters_each for g in facts.groups if g.role == "model"), default=0)
    if control and control.texts < FEW_WINDOWS:
        yield Threat(
            kind="little real text to compare with",
            text=f"The held-out text fills only {_counted(control.texts, 'window')} of the "
            "samples' length: what real text scores is uncertain.",
            remedy="Take shorter samples, or hold out more: "
            + facts.run_with(f"--set sample.length={max(100, length // 10)}"),
        )


def _low_control(facts: Facts) -> Iterator[Threat]:
    control = _control(facts)
    metric = control.metrics.get(facts.headline) if control and facts.headline else None
    if metric and metric.value is not None and metric.value < LOW_CONTROL:
        yield Threat(
            kind="low control",
            text=f"Real text itself reaches only {metric.value:.0%} in the headline metric.",
            remedy="Compare the samples with that, not with 100 %.",
        )


def _not_scored(facts: Facts) -> Iterator[Threat]:
    counts = [(n, name) for g in facts.groups for name, n in g.outcomes.items()]
    lost = sum(number for number, name in counts if name != "ok")
    if lost:
        texts = sum(group.texts for group in facts.groups)
        yield Threat(
            kind="texts not scored",
            text=f"{lost} of {texts} texts could not be scored completely: they exceeded the "
            "limits on time or memory.",
            remedy="Read the figures of their group, named in the line Scored, as those of the "
            "rest.",
        )


def _general(facts: Facts) -> Iterator[Threat]:
    """What holds for the method, whatever the run."""
    yield Threat(
        kind="one training",
        text="The intervals come from the texts of one trained model: they do not include the "
        "variation between training seeds.",
        remedy=f"Train again with another seed: {facts.run_with('--set train.seed=1')}",
        is_general=True,
    )
    if facts.baseline_share < 1:
        yield Threat(
            kind="n-grams of less text",
            text=f"The n-grams have seen {facts.baseline_share:.0%} of the training text, "
            f"the {facts.model_name} all of it.",
            remedy="Count more, if memory allows: evaluate.baseline_characters.",
            is_general=True,
        )
    if facts.no_compiler:
        yield Threat(
            kind="no compiler",
            text=facts.no_compiler,
            remedy=f"Install one, then {facts.run_with('--only evaluate --force')}",
            is_general=True,
        )
    if facts.python:
        yield Threat(
            kind="version of Python",
            text=f"Python code was parsed by Python {facts.python}: valid code for another version "
            "may fail; the control shows how much does.",
            is_general=True,
        )


def _control(facts: Facts) -> SampleGroup | None:
    return next((group for group in facts.groups if group.role == "control"), None)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
