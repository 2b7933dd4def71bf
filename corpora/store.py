"""The corpus on disk: documents, ledger, vocabulary and summary, in formats that others read.

`documents.parquet` holds the kept texts, `ledger.parquet` one row for every file that was seen.
Both are written as a stream, in row groups of a bounded size, so memory does not grow with the
corpus; equal input gives equal bytes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq

from corpora.document import Document, Outcome, Split

DOCUMENTS = "documents.parquet"
LEDGER = "ledger.parquet"
VOCABULARY = "vocabulary.json"
SUMMARY = "summary.json"
ROW_GROUP_BYTES = 16 * 2**20

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("license", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
LEDGER_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("handle", pa.string(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("duplicate_of", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("license", pa.string()),
        pa.field("split", pa.string()),
        pa.field("encoding", pa.string()),
        pa.field("characters", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRow:
    """What one rule took away, and what is left after it."""

    reason: str
    files_dropped: int
    bytes_dropped: int
    files_left: int
    bytes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSize:
    """How much text stands in a split."""

    files: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSummary:
    """A corpus in numbers.

    Attributes:
        digest: sha256 over every document's digest and split: the identity of the corpus.
        seen: files and bytes before any rule.
        funnel: the rules in order, those that dropped nothing left out.
        licenses: kept files by licence, "unknown" where none is stated.
    """

    digest: str
    seen: tuple[int, int]
    funnel: tuple[FunnelRow, ...]
    splits: Mapping[Split, SplitSize]
    licenses: Mapping[str, int]

    def save(self, directory: Path) -> None:
        """Write as JSON."""
        text = json.dumps(asdict(self), indent=1)
        (directory / SUMMARY).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote."""
        data = json.loads((directory / SUMMARY).read_text(encoding="utf-8"))
        return cls(
            digest=data["digest"],
            seen=tuple(data["seen"]),
            funnel=tuple(FunnelRow(**row) for row in data["funnel"]),
            splits={name: SplitSize(**size) for name, size in data["splits"].items()},
            licenses=data["licenses"],
        )


class RowWriter(AbstractContextManager["RowWriter"]):
    """Write rows to a Parquet file, a row group at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", compression_level=3, use_dictionary=False
        )

    def write(self, row: dict[str, Any], size: int) -> None:
        """Append a row of about `size` bytes."""
        self._rows.append(row)
        self._bytes += size
        if self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows, self._bytes = [], 0


def document_row(document: Document) -> dict[str, Any]:
    """A document as a row of `documents.parquet`."""
    return {name: getattr(document, name) for name in DOCUMENT_SCHEMA.names}


def ledger_row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a row of `ledger.parquet`."""
    own = ("reason", "detail", "duplicate_of", "sha256", "license", "split", "encoding")
    return {
        "source": outcome.entry.source,
        "path": outcome.entry.path,
        "bytes": outcome.entry.size,
        "handle": outcome.entry.handle,
        "decision": "kept" if outcome.reason is None else "dropped",
        "characters": outcome.characters,
        **{name: getattr(outcome, name) for name in own},
    }


def read_documents(directory: Path, split: Split) -> Iterator[Document]:
    """Stream the documents of one split in the order in which they were kept."""
    with pq.ParquetFile(directory / DOCUMENTS) as file:
        for batch in file.iter_batches(batch_size=64):
            for row in cast("list[dict[str, Any]]", batch.to_pylist()):
                if row["split"] == split:
                    yield Document(**row)


def read_character_counts(directory: Path) -> dict[str, int]:
    """How often every character stands in the training split."""
    return json.loads((directory / VOCABULARY).read_text(encoding="utf-8"))


def write_character_counts(directory: Path, counts: Mapping[str, int]) -> None:
    """Write the counts of the training split, in code point order."""
    text = json.dumps(dict(sorted(counts.items())), indent=0)
    (directory / VOCABULARY).write_text(text + "\n", encoding="utf-8")
