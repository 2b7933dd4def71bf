"""What is known about a training while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Where training stands.

    Attributes:
        step: updates so far.
        characters: characters trained so far.
        seconds: wall time so far, over all sessions, validation included.
        fraction: of the budget; 1 in the last record, unless patience ran out before.
        train_bits: bits per character in training, with dropout, averaged over about 100 updates.
        validation_bits: bits per character, where a validation has just been made.
        learning_rate: of the last update.
        gradient_norm: of the last update, before clipping.
        characters_per_second: over this session, validation included.
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


@dataclass(slots=True, kw_only=True)
class Totals:
    """The numbers of a run, as its checkpoints hold them."""

    step: int = 0
    characters: int = 0
    seconds: float = 0.0
    rate_factor: float = 1.0
    bits_sum: float = 0.0
    bits_weight: float = 0.0
    validations: int = 0
    longest_validation: float = 0.0
    best_bits: float | None = None
    without_gain: int = 0
