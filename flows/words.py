"""How times and progress are said."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modeling.training.progress import CurvePoint


def duration(seconds: float) -> str:
    """Say a time as people do: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def training_line(progress: "CurvePoint", best_bits: float | None) -> str:
    """The progress of a training as one line: speed, bits per character, time left."""
    spent = progress.fraction
    left = progress.seconds * (1 - spent) / spent if spent else 0.0
    held_out = "" if best_bits is None else f", held-out {best_bits:.3f}"
    return (
        f"{progress.characters_per_second:,.0f} characters/s, {progress.train_bits:.3f} "
        f"bits/character{held_out}, {duration(left)} left"
    )
