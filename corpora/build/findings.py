"""What the first pass finds, one file a batch: a build that is killed resumes after the last one.

A worker writes the file and returns two numbers, so the findings of all files are read in one
place only, one batch at a time. Files are named after what was examined.
"""

import hashlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpora.build.examine import Examined, FileBatch, examine
from corpora.dedup.characters import COUNTERS, Profiles
from corpora.dedup.minhash import PERMUTATIONS, Signatures
from corpora.document import Entry, Outcome
from system.files import write_whole

FOLDER = ".findings"
SCHEMA = pa.schema(
    [
        pa.field("number", pa.int32(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("vendored", pa.bool_(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("license", pa.string()),
        pa.field("encoding", pa.string()),
        pa.field("characters", pa.int64()),
        pa.field("signature", pa.binary(2 * PERMUTATIONS)),
        pa.field("counts", pa.binary(2 * COUNTERS)),
    ]
)
"""A row for every file of a batch; the last two columns are of those that passed."""
OWN = ("reason", "detail", "vendored", "sha256", "license", "encoding", "characters")
REPEATED = ("reason", "license", "encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The file for what examining a batch finds.

    Attributes:
        folder: of all such files of a build.
    """

    folder: Path
    batch: FileBatch

    @property
    def path(self) -> Path:
        """The file."""
        digest = hashlib.sha256(repr(self.batch.entries).encode("utf-8", "surrogatepass"))
        return self.folder / f"{digest.hexdigest()[:32]}.parquet"


def find(task: Findings) -> tuple[int, int]:
    """Examine a batch unless that was done; return how many files passed, and how many did not."""
    path = task.path
    if not _is_whole(path, len(task.batch.entries)):
        write_whole(path, _content(task.batch.entries, examine(task.batch)), concurrent=True)
    reasons = _read(path, ["reason"])["reason"]
    return reasons.null_count, len(reasons) - reasons.null_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The findings of all batches, in the order of the files.

    Attributes:
        dropped, passed: outcomes; N files passed.
        signatures: (N, P).
    """

    dropped: Sequence[Outcome]
    passed: Sequence[Outcome]
    signatures: Signatures
    profiles: Profiles


def collected(tasks: Iterable[Findings], count: int) -> Collected:
    """Read the findings of all batches, of which `count` files passed."""
    found: dict[bool, list[Outcome]] = {True: [], False: []}
    signatures = np.empty((count, PERMUTATIONS), np.uint16)
    counts = np.empty((count, COUNTERS), np.int16)
    for task in tasks:
        table, begin = _read(task.path), len(found[True])
        for outcome in _outcomes(table, task.batch.entries):
            found[outcome.reason is None].append(outcome)
        rows = slice(begin, len(found[True]))
        for name, values in (("signature", signatures), ("counts", counts)):
            values[rows] = _array(table[name], values.dtype, values.shape[1])
    lengths = np.array([outcome.characters or 0 for outcome in found[True]], np.int64)
    return Collected(
        dropped=found[False],
        passed=found[True],
        signatures=signatures,
        profiles=Profiles(counts=counts, lengths=lengths),
    )


def _is_whole(path: Path, rows: int) -> bool:
    try:
        with pq.ParquetFile(path) as file:
            return file.metadata.num_rows == rows and file.schema_arrow.equals(SCHEMA)
    except (OSError, pa.ArrowException):
        return False


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    with pq.ParquetFile(path) as file:  # `read_table` and threads would cost 50 MB
        return file.read(columns, use_threads=False)


def _content(entries: Sequence[Entry], examined: Examined) -> bytes:
    numbers = {id(entry): number for number, entry in enumerate(entries)}
    outcomes = [*examined.passed, *examined.dropped]
    order = sorted(range(len(outcomes)), key=lambda place: numbers[id(outcomes[place].entry)])
    arrays: list[Any] = [pa.array([numbers[id(outcomes[n].entry)] for n in order], pa.int32())]
    for name in OWN:
        values = [getattr(outcomes[place], name) for place in order]
        arrays.append(pa.array(values, SCHEMA.field(name).type))
    for name, values in (
        ("signature", examined.signatures),
        ("counts", examined.profiles.counts),
    ):
        cells = [values[n].tobytes() if n < len(values) else None for n in order]
        arrays.append(pa.array(cells, SCHEMA.field(name).type))
    file = io.BytesIO()
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    pq.write_table(table, file, compression="zstd", compression_level=1, use_dictionary=False)
    return file.getvalue()


def _outcomes(table: pa.Table, entries: Sequence[Entry]) -> Iterator[Outcome]:
    columns = table.select(["number", *OWN])
    for row in cast("list[dict[str, Any]]", columns.to_pylist()):
        entry = entries[row.pop("number")]
        # Otherwise every file has its own copy of "utf-8".
        once: dict[str, Any] = {
            name: sys.intern(row[name]) for name in REPEATED if row[name] is not None
        }
        yield Outcome(entry=entry, **(row | once))


def _array(column: pa.ChunkedArray, kind: "np.dtype[Any]", width: int) -> "np.ndarray[Any, Any]":
    cells = column.drop_null().to_pylist()
    return np.frombuffer(b"".join(cast("list[bytes]", cells)), kind).reshape(-1, width)
