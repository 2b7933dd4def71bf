"""The corpus on disk: documents, ledger and vocabulary, in formats that other tools read.

`documents-*.parquet` hold the kept texts, `ledger.parquet` one row for every file that was seen.
Both are streamed in row groups of bounded size, so memory does not grow with the corpus. Equal
input gives equal bytes.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from corpora.document import Document, Outcome, Split
from corpora.errors import CorpusError
from system.damage import explaining_damage

DOCUMENTS = "documents-*.parquet"
LEDGER = "ledger.parquet"
VOCABULARY = "vocabulary.json"
ADVICE = "build the corpus again: --from corpus --force"
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
        pa.field("cluster", pa.string()),
        pa.field("vendored", pa.bool_(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("license", pa.string()),
        pa.field("split", pa.string()),
        pa.field("encoding", pa.string()),
        pa.field("characters", pa.int64()),
    ]
)


class RowWriter(AbstractContextManager["RowWriter"]):
    """Writes rows to a Parquet file, a row group at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", compression_level=3, use_dictionary=False
        )

    def write(self, row: dict[str, Any], size: int) -> None:
        """Append a row of about `size` bytes; the size decides when a row group is full."""
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
    own = ("reason", "detail", "duplicate_of", "cluster", "vendored", "sha256", "license", "split")
    return {
        "source": outcome.entry.source,
        "path": outcome.entry.path,
        "bytes": outcome.entry.size,
        "handle": outcome.entry.handle,
        "decision": "kept" if outcome.reason is None else "dropped",
        "encoding": outcome.encoding,
        "characters": outcome.characters,
        **{name: getattr(outcome, name) for name in own},
    }


@contextmanager
def reading(path: Path, schema: pa.Schema) -> Iterator[None]:
    """Check the schema of a file that is read in the block.

    Raises:
        CorpusError: if it is another one, or the file is damaged.
    """
    with explaining_damage(path, CorpusError, ADVICE):
        found = pq.read_schema(path)
        if missing := [field.name for field in schema if field not in list(found)]:
            raise ValueError(f"it has no column {missing[0]} of the expected type")
        yield


def read_documents(directory: Path, split: Split) -> Iterator[Document]:
    """Stream the documents of one split in the order of the source.

    Raises:
        CorpusError: if a shard is damaged.
    """
    for path in sorted(directory.glob(DOCUMENTS)):
        with reading(path, DOCUMENT_SCHEMA), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                for row in cast("list[dict[str, Any]]", batch.to_pylist()):
                    if row["split"] == split:
                        yield Document(**row)


def read_split(directory: Path) -> dict[str, Split]:
    """The split of every document of a corpus, by digest."""
    found: dict[str, Split] = {}
    for path in sorted(directory.glob(DOCUMENTS)):
        with reading(path, DOCUMENT_SCHEMA):
            table = pq.read_table(path, columns=["sha256", "split"])
            found |= zip(table["sha256"].to_pylist(), table["split"].to_pylist(), strict=True)
    return found


def read_character_counts(directory: Path) -> dict[str, int]:
    """How often each character occurs in the training split."""
    path = directory / VOCABULARY
    with explaining_damage(path, CorpusError, ADVICE):
        counts = json.loads(path.read_text(encoding="utf-8"))
        for character, count in counts.items():
            if len(character) != 1 or type(count) is not int:
                raise ValueError(f"{character[:20]!r} is counted as {count!r:.20}")
    return counts


def write_character_counts(directory: Path, counts: Mapping[str, int]) -> None:
    """Write the counts of the training split, in code point order."""
    text = json.dumps(dict(sorted(counts.items())), indent=0)
    (directory / VOCABULARY).write_text(text + "\n", encoding="utf-8")
