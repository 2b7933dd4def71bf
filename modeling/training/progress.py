"""The progress of a training."""

from dataclasses import dataclass

from system.clock import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A point of the learning curve.

    Attributes:
        step: updates so far.
        characters: characters trained so far.
        seconds: wall time so far, over all sessions, including validations.
        fraction: spent share of the budget; 1 in the last point, unless patience ran out.
        train_bits: bits per character in training, with dropout, averaged over about 100 updates.
        validation_bits: bits per character, if this point follows a validation.
        learning_rate: of the last update.
        gradient_norm: of the last update, before clipping.
        characters_per_second: of this session, including validations.
    """

    step: int
    characters: int
    seconds: float
    fraction: float
    train_bits: float
    validation_bits: float | None
    learning_rate: float
    gradient_norm: float
    characters_per_second: float

    def line(self, best_bits: float | None) -> str:
        """Show speed, bits per character and time left in one line.

        Args:
            best_bits: fewest validation bits per character so far, None before any validation.
        """
        left = self.seconds * (1 - self.fraction) / self.fraction if self.fraction else 0.0
        held_out = "" if best_bits is None else f", held-out {best_bits:.3f}"
        return (
            f"{self.characters_per_second:,.0f} characters/s, {self.train_bits:.3f} "
            f"bits/character{held_out}, {duration(left)} left"
        )


@dataclass(slots=True, kw_only=True)
class Totals:
    """The running numbers of a training, as saved in its checkpoints.

    Attributes:
        seconds: wall time over all sessions.
        preparation: the part of it before the first update of each session: reading the text,
            choosing an engine.
        rate_factor: of the learning rate; 0.5 after a divergence.
        bits_sum: exponentially decayed sum of the bits per character of updates.
        bits_weight: sum of the weights in `bits_sum`.
        validations: number of validations so far.
        longest_validation: in seconds.
        best_bits: fewest validation bits per character so far.
        without_gain: validations since then.
    """

    step: int = 0
    characters: int = 0
    seconds: float = 0.0
    preparation: float = 0.0
    rate_factor: float = 1.0
    bits_sum: float = 0.0
    bits_weight: float = 0.0
    validations: int = 0
    longest_validation: float = 0.0
    best_bits: float | None = None
    without_gain: int = 0
