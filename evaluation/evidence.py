"""What an evaluation keeps so that a later one can be compared with it, in Parquet.

`documents.parquet` has the bits of every held-out document, `texts.parquet` the tallies of every
sample and window. Both open in pandas and DuckDB.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.errors import ScoreError
from evaluation.results import Role, Tally

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
        path: source and path, for the reader.
        sha256: of the text: what makes documents of two runs the same.
        model_bits, ngram_bits: of all its characters, under the model and the best n-gram.
    """

    path: str
    sha256: str
    characters: int
    model_bits: float
    ngram_bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTallies:
    """One sample or window: every tally that was taken of it."""

    role: Role
    temperature: float | None
    characters: int
    tallies: Mapping[str, Tally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a comparison needs of one evaluation."""

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
    """Whether an evaluation kept what a comparison needs."""
    return (directory / DOCUMENTS).is_file() and (directory / TEXTS).is_file()


def load_evidence(directory: Path) -> Evidence:
    """Read what `Evidence.save` wrote.

    Raises:
        ScoreError: the evaluation is of a version that kept none.
    """
    if not has_evidence(directory):
        raise ScoreError(
            f"{directory}: this evaluation kept no bits per document; "
            "evaluate again to compare with it"
        )
    documents = [DocumentBits(**row) for row in pq.read_table(directory / DOCUMENTS).to_pylist()]
    return Evidence(documents=documents, texts=_texts(directory / TEXTS))


def _texts(path: Path) -> list[TextTallies]:
    found: dict[int, tuple[Role, float | None, int, dict[str, Tally]]] = {}
    for row in pq.read_table(path).to_pylist():
        new = (row["role"], row["temperature"], row["characters"], {})
        tallies = found.setdefault(row["text"], new)[3]
        tallies[row["metric"]] = Tally(row["amount"], row["of"])
    return [
        TextTallies(role=role, temperature=temperature, characters=characters, tallies=tallies)
        for role, temperature, characters, tallies in found.values()
    ]
