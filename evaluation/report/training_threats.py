"""Threats from the training: too short, too long, or gone wrong."""

import math
from collections.abc import Iterator, Sequence

from evaluation.baselines.ladder import model_row
from evaluation.report.facts import Facts
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


def has_diverged(ladder: Sequence[LadderRow]) -> bool:
    """Whether the model predicts worse than chance."""
    uniform = next((row for row in ladder if row.kind == "uniform"), None)
    return bool(uniform and model_row(ladder).bits_per_char > uniform.bits_per_char)


def diverged(facts: Facts) -> Iterator[Threat]:
    """The model predicts worse than chance, or its validation bits have collapsed."""
    rate = facts.training.learning_rate
    if has_diverged(facts.ladder):
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
    """The learning curve was still falling at the end."""
    training, points = facts.training, facts.training.validations
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
        remedy="Train longer; at the same speed, this reads the text "
        f"{max(ENOUGH_EPOCHS, 2 * share):.2g} times",
        command=facts.run_with(f"--budget {_budget(factor * training.seconds)}"),
    )


def _epochs(share: float) -> str:
    return f"{100 * share:.2g} % of" if share < 1 else f"{share:.2g} times"


def _budget(seconds: float) -> str:
    """A round budget of at least this many seconds, as the option takes it."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)}{unit}"
    return f"{math.ceil(seconds)}s"


def overtrained(facts: Facts) -> Iterator[Threat]:
    """The learning curve has risen since its minimum."""
    rise = facts.training.rise
    if ROSE < rise <= COLLAPSED and not has_diverged(facts.ladder):
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
