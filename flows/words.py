"""The progress of training in words."""

from typing import TYPE_CHECKING

from system.clock import duration

if TYPE_CHECKING:
    from modeling.training.progress import CurvePoint


def training_line(progress: "CurvePoint", best_bits: float | None) -> str:
    """Format training progress as one line: speed, bits per character, time left."""
    done = progress.fraction
    left = progress.seconds * (1 - done) / done if done else 0.0
    held_out = "" if best_bits is None else f", held-out {best_bits:.3f}"
    return (
        f"{progress.characters_per_second:,.0f} characters/s, {progress.train_bits:.3f} "
        f"bits/character{held_out}, {duration(left)} left"
    )
