"""Threats from the training: too short, too long, or gone wrong."""

import math
from collections.abc import Iterator, Sequence

from evaluation.baselines.ladder import model_row
from evaluation.report.facts import Facts, Training
from evaluation.results import LadderRow, Threat

STILL_FALLING = 0.02
"""Bits that the second half of less than an epoch must gain to show that training was too short."""
STEEP = 0.15
"""The same for an epoch or more. The falling learning rate alone gains about .1 bits."""
ROSE, COLLAPSED = 0.02, 0.5
"""Rise of the validation bits after their minimum: overtrained, or diverged."""
MEMORISED = 0.7
"""Bits on training text, as a share of those on held-out text."""
ENOUGH_EPOCHS = 2
HARDLY_READ = 0.1
"""Share of the training text below which no curve is needed to call a model undertrained."""
UNTRAINED = 1.0
"""Bits by which a model that has hardly been trained may be worse than a uniform guess."""


def excess(ladder: Sequence[LadderRow]) -> float:
    """Bits that the model needs beyond a uniform guess; 0 if it is better."""
    uniform = next((row for row in ladder if row.kind == "uniform"), None)
    return max(0.0, model_row(ladder).bits_per_char - uniform.bits_per_char) if uniform else 0.0


def has_diverged(ladder: Sequence[LadderRow], training: Training) -> bool:
    """Whether the model predicts worse than chance, and not because it has only just begun."""
    points = training.validations
    is_falling = len(points) < 2 or points[-1][1] < points[0][1]
    return excess(ladder) > (UNTRAINED if is_falling else 0)


def diverged(facts: Facts) -> Iterator[Threat]:
    """The model predicts worse than chance, or its validation bits have collapsed."""
    rate = facts.training.learning_rate
    if has_diverged(facts.ladder, facts.training):
        found = f"on held-out files the {facts.model_name} needs more bits than a uniform guess"
    elif facts.training.rise > COLLAPSED:
        found = f"the validation bits rose by {facts.training.rise:.2f} after their minimum"
    else:
        return
    yield Threat(
        kind="diverged",
        text=f"The training diverged: {found}.",
        remedy="Train with a lower rate",
        command=facts.run_with(f"--set train.learning_rate={rate / 10:g}"),
    )


def undertrained(facts: Facts) -> Iterator[Threat]:
    """The learning curve was still falling at the end, or has hardly begun."""
    training, points = facts.training, facts.training.validations
    if has_diverged(facts.ladder, training):
        return
    share = training.characters / max(training.epoch, 1)
    if excess(facts.ladder):
        yield _undertrained(facts, share, "too little to predict better than a uniform guess.")
        return
    if len(points) < 2:
        if share < HARDLY_READ:
            yield _undertrained(facts, share, "and there are too few validations to see a trend.")
        return
    middle = next(bits for size, bits in points if size >= training.characters / 2)
    gain = middle - points[-1][1]
    if gain < (STILL_FALLING if share < 1 else STEEP):
        return
    yield _undertrained(
        facts,
        share,
        "and in the second half of the training its validation bits still fell, from "
        f"{middle:.2f} to {points[-1][1]:.2f}. A longer training would give other figures and "
        "other samples.",
    )


def _undertrained(facts: Facts, share: float, found: str) -> Threat:
    factor = max(2.0, ENOUGH_EPOCHS / max(share, 1e-9))
    return Threat(
        kind="undertrained",
        text=f"The model has read {_epochs(share)} its training text, {found}",
        remedy="Train longer; at the same speed, this reads the text "
        f"{max(ENOUGH_EPOCHS, 2 * share):.2g} times",
        command=facts.run_with(f"--budget {_budget(factor * facts.training.seconds)}"),
    )


def _epochs(share: float) -> str:
    """How often a text was read, in words that "its training text" follows."""
    if share < 0.995:
        return f"{100 * share:.2g} % of"
    return "once" if share < 1.05 else f"{share:.2g} times"


def _budget(seconds: float) -> str:
    """A round budget of at least this many seconds, as the option takes it."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)}{unit}"
    return f"{math.ceil(seconds)}s"


def overtrained(facts: Facts) -> Iterator[Threat]:
    """The learning curve has risen since its minimum."""
    rise = facts.training.rise
    if ROSE < rise <= COLLAPSED and not excess(facts.ladder):
        best = min(facts.training.validations, key=lambda point: point[1])
        yield Threat(
            kind="overtrained",
            text=f"The validation bits rose by {rise:.2f} after {best[0]:,} characters. The report "
            "is about the model at that point; the rest of the training was in vain.",
            remedy="Use more dropout, as --preset smoke-small does, or stop earlier",
            command=facts.run_with(f"--budget {max(best[0] // 1000, 1)}kchars"),
        )


def memorised(facts: Facts) -> Iterator[Threat]:
    """Training text is far easier than held-out text."""
    row = model_row(facts.ladder)
    train = row.train_bits_per_char
    if train is not None and train < MEMORISED * row.bits_per_char:
        yield Threat(
            kind="memorised",
            text=f"The {facts.model_name} needs {train:.2f} bits per character on text that it was "
            f"trained on, and {row.bits_per_char:.2f} on held-out files: it has memorised much of "
            "its training text.",
            remedy="Use more text, or more dropout",
            command=facts.run_with("--set train.model.dropout=0.5"),
        )
