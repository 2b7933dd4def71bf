"""Samples on disk: one row per sample, with prompt and continuation in separate columns.

`samples.parquet` opens in pandas and DuckDB. A continuation contains FILE_MARK where the model
ended a file and began the next one.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modeling.errors import ModelFileError
from system.damage import explaining_damage

SAMPLES = "samples.parquet"
SCHEMA = pa.schema(
    [
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("temperature", pa.float64(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("continuation", pa.string(), nullable=False),
        pa.field("surprisal", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample.

    Attributes:
        surprisal: bits of every character of the continuation under the model at temperature 1.
    """

    seed: int
    temperature: float
    prompt: str
    continuation: str
    surprisal: Sequence[float]


def write_samples(directory: Path, samples: Sequence[Sample]) -> None:
    """Write samples in the order given."""
    table = pa.Table.from_pylist([asdict(sample) for sample in samples], SCHEMA)
    pq.write_table(table, directory / SAMPLES, compression="zstd")


def read_samples(directory: Path) -> list[Sample]:
    """Read what `write_samples` wrote.

    Raises:
        ModelFileError: if it is damaged.
    """
    path = directory / SAMPLES
    with explaining_damage(path, ModelFileError, "sample again: --from sample --force"):
        table = pq.read_table(path)
        if not table.schema.equals(SCHEMA):
            raise ValueError("it has other columns")
        return [Sample(**row) for row in table.to_pylist()]
