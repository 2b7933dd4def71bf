"""The learning curve on disk: JSON lines during training, a Parquet file at the end.

Each point is appended. `sync` brings them to the disk before each checkpoint, so that a power cut
leaves no checkpoint without its points. On resume, `rewind` drops the points after the last
checkpoint, so that no point occurs twice.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modeling.errors import ModelFileError
from modeling.training.progress import CurvePoint
from system.damage import explaining_damage
from system.files import sync_path, write_whole

METRICS = "metrics.parquet"
LINES = "metrics.jsonl"
MAX_LIVE_BYTES = 2**25
SCHEMA = pa.schema(
    [
        pa.field("step", pa.int64()),
        pa.field("characters", pa.int64()),
        pa.field("seconds", pa.float64()),
        pa.field("fraction", pa.float64()),
        pa.field("train_bits", pa.float64()),
        pa.field("validation_bits", pa.float64()),
        pa.field("learning_rate", pa.float64()),
        pa.field("gradient_norm", pa.float64()),
        pa.field("characters_per_second", pa.float64()),
    ]
)


class MetricsLog:
    """The learning curve of one training, while it runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines = directory / LINES

    def append(self, point: CurvePoint) -> None:
        """Add a point."""
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(point)) + "\n")

    def sync(self) -> None:
        """Bring all points to the disk."""
        sync_path(self._lines)

    def rewind(self, step: int) -> None:
        """Drop all points after `step`, and a last line that was cut off.

        The file exists afterwards, and a kill in between leaves all of its lines.
        """
        kept = [line for line, point_step in self._read() if point_step <= step]
        write_whole(self._lines, "".join(f"{line}\n" for line in kept).encode())

    def finish(self) -> None:
        """Write `metrics.parquet`; the lines are kept until `discard`."""
        rows = [json.loads(line) for line, _ in self._read()]
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), self._directory / METRICS)

    def discard(self) -> None:
        """Delete the lines, once nothing can resume from them."""
        self._lines.unlink(missing_ok=True)

    def _read(self) -> Iterator[tuple[str, int]]:
        if not self._lines.exists():
            return
        lines = self._lines.read_text(encoding="utf-8", errors="replace").splitlines()
        for line, point in _points(lines):
            yield line, point.step


def _points(lines: Iterable[str]) -> Iterator[tuple[str, CurvePoint]]:
    """Each line with its point, up to the first that was cut off."""
    for line in lines:
        try:
            point = CurvePoint(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            return
        yield line, point


def read_lines(directory: Path) -> list[CurvePoint]:
    """Read the learning curve of a training in progress, as far as it has come.

    Of an extremely long one, the last MAX_LIVE_BYTES.
    """
    path = directory / LINES
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_LIVE_BYTES))
        is_whole = file.tell() == 0
        lines = file.read(MAX_LIVE_BYTES).decode("utf-8", "replace").splitlines()
    return [point for _, point in _points(lines if is_whole else lines[1:])]


def read_metrics(directory: Path) -> list[CurvePoint]:
    """Read the learning curve of a finished training.

    Raises:
        ModelFileError: if it is damaged.
    """
    path = directory / METRICS
    with explaining_damage(path, ModelFileError, "train again: --from train --force"):
        table = pq.read_table(path)
        if not table.schema.equals(SCHEMA):
            raise ValueError("it has other columns")
        return [CurvePoint(**row) for row in table.to_pylist()]
