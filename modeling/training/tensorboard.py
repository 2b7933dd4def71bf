"""The learning curve as TensorBoard event files.

Requires tensorboardX (`pip install charmill[tensorboard]`). `metrics.parquet` is written in any
case.
"""

from pathlib import Path

from modeling.errors import MissingPackageError
from modeling.training.progress import CurvePoint


class EventFiles:
    """Event files of one training; the horizontal axis is characters trained."""

    def __init__(self, directory: Path, characters: int) -> None:
        """Open event files; drop what an interrupted training wrote after `characters`.

        Raises:
            MissingPackageError: tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise MissingPackageError(
                "TensorBoard event files need a package that is not installed: "
                "pip install charmill[tensorboard]"
            ) from None
        self._writer = SummaryWriter(str(directory), purge_step=characters or None)

    def append(self, point: CurvePoint) -> None:
        """Add a point."""
        scalars = {
            "bits_per_character/train": point.train_bits,
            "bits_per_character/validation": point.validation_bits,
            "learning_rate": point.learning_rate,
            "gradient_norm": point.gradient_norm,
            "characters_per_second": point.characters_per_second,
        }
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, point.characters)

    def close(self) -> None:
        """Write everything to disk."""
        self._writer.close()
