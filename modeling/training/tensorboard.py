"""The learning curve as TensorBoard event files, for those who watch trainings there.

Needs the package tensorboardX (`pip install charmill[tensorboard]`); `metrics.parquet` is written
with or without it.
"""

from pathlib import Path

from modeling.training.progress import CurvePoint


class EventFiles:
    """Event files of one training; the horizontal axis is characters trained."""

    def __init__(self, directory: Path, characters: int) -> None:
        """Begin, or go on: what an interrupted run wrote after `characters` is dropped.

        Raises:
            ValueError: tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ValueError(
                "TensorBoard event files need a package that is not installed: "
                "pip install charmill[tensorboard]"
            ) from None
        self._writer = SummaryWriter(str(directory), purge_step=characters or None)

    def append(self, progress: CurvePoint) -> None:
        """Add a point."""
        scalars = {
            "bits_per_character/train": progress.train_bits,
            "bits_per_character/validation": progress.validation_bits,
            "learning_rate": progress.learning_rate,
            "gradient_norm": progress.gradient_norm,
            "characters_per_second": progress.characters_per_second,
        }
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, progress.characters)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()
