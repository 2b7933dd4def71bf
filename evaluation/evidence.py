"""The evidence of an evaluation, kept in Parquet so that later evaluations can be compared with it.

`documents.parquet` has the bits of every held-out document, `texts.parquet` the tallies of every
sample and window. Both can be read with pandas and DuckDB.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.errors import ReportError
from evaluation.results import Role, Tally
from system.damage import explaining_damage

DOCUMENTS = "documents.parquet"
TEXTS = "texts.parquet"
DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("model_bits", pa.float64(), nullable=False),
        pa.field("ngram_bits", pa.float64(), nullable=False),
    ]
)
TEXT_SCHEMA = pa.schema(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("temperature", pa.float64()),
        pa.field("text", pa.int64(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("amount", pa.float64(), nullable=False),
        pa.field("of", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentBits:
    """One held-out document.

    Attributes:
        path: source and path, for display.
        sha256: digest of the text; documents of two runs are the same if it is.
        model_bits, ngram_bits: sum over all characters, under the model and the best n-gram.
    """

    path: str
    sha256: str
    characters: int
    model_bits: float
    ngram_bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTallies:
    """All tallies of one sample or window."""

    role: Role
    temperature: float | None
    characters: int
    tallies: Mapping[str, Tally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a comparison needs from one evaluation."""

    documents: Sequence[DocumentBits]
    texts: Sequence[TextTallies]

    def save(self, directory: Path) -> None:
        """Write both files."""
        documents = [asdict(document) for document in self.documents]
        for name, rows, schema in (
            (DOCUMENTS, documents, DOCUMENT_SCHEMA),
            (TEXTS, list(self._rows()), TEXT_SCHEMA),
        ):
            table = pa.Table.from_pylist(rows, schema)
            pq.write_table(table, directory / name, compression="zstd")

    def _rows(self) -> Iterator[dict[str, object]]:
        for number, text in enumerate(self.texts):
            common = {
                "role": text.role,
                "temperature": text.temperature,
                "text": number,
                "characters": text.characters,
            }
            for metric, tally in text.tallies.items():
                yield {**common, "metric": metric, "amount": tally.amount, "of": tally.of}


def has_evidence(directory: Path) -> bool:
    """Whether an evaluation kept its evidence."""
    return (directory / DOCUMENTS).is_file() and (directory / TEXTS).is_file()


def load_evidence(directory: Path) -> Evidence:
    """Read what `Evidence.save` wrote.

    Raises:
        ReportError: a file is damaged, or the evaluation is from a version that kept no evidence.
    """
    if not has_evidence(directory):
        raise ReportError(
            f"{directory}: this evaluation kept no bits per document; "
            "evaluate again to compare with it"
        )
    documents = [DocumentBits(**row) for row in _read(directory / DOCUMENTS, DOCUMENT_SCHEMA)]
    return Evidence(documents=documents, texts=_texts(directory / TEXTS))


def _read(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Read the columns of the schema."""
    with explaining_damage(path, ReportError, "evaluate again: --from evaluate --force"):
        return pq.read_table(path, columns=schema.names).cast(schema).to_pylist()


def _texts(path: Path) -> list[TextTallies]:
    texts: dict[int, tuple[Role, float | None, int, dict[str, Tally]]] = {}
    for row in _read(path, TEXT_SCHEMA):
        new = (row["role"], row["temperature"], row["characters"], {})
        tallies = texts.setdefault(row["text"], new)[3]
        tallies[row["metric"]] = Tally(row["amount"], row["of"])
    return [
        TextTallies(role=role, temperature=temperature, characters=characters, tallies=tallies)
        for role, temperature, characters, tallies in texts.values()
    ]
