"""Write the kept documents in shards of bounded size. The second pass of a build.

Where a shard begins depends on the files alone, so any number of workers gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.build.examine import read_again
from corpora.build.totals import UNICODE, WrittenShard
from corpora.chunking import grouped
from corpora.corpus.parquet import DOCUMENT_SCHEMA, RowWriter, document_row
from corpora.dedup.split import split_of
from corpora.document import Document, Outcome, Snapshot, Split
from corpora.spec import CorpusSpec
from corpora.text.parts import parts_of

SHARD_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Neighbouring kept files, and the Parquet file for their documents.

    Attributes:
        frozen: digest to split, of parts that must keep their split.
    """

    path: Path
    snapshot: Snapshot
    outcomes: Sequence[Outcome]
    spec: CorpusSpec
    frozen: Mapping[str, Split]


def shards(
    outcomes: Sequence[Outcome],
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    frozen: Mapping[str, Split],
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Iterator[Shard]:
    """Group kept files into shards of about `shard_bytes`."""
    of_parts = dict(frozen) if spec.part_characters else {}
    for number, group in enumerate(grouped(outcomes, shard_bytes, lambda o: o.entry.size)):
        path = directory / f"documents-{number:05d}.parquet"
        yield Shard(path=path, snapshot=snapshot, outcomes=group, spec=spec, frozen=of_parts)


def write(shard: Shard) -> WrittenShard:
    """Read the files of a shard again and write their documents."""
    documents: list[tuple[str, Split, int, str | None]] = []
    totals = np.zeros(UNICODE, np.int64)
    with RowWriter(shard.path, DOCUMENT_SCHEMA) as rows:
        for document in _documents(shard):
            rows.write(document_row(document), len(document.text))
            facts = (document.sha256, document.split, len(document.text), document.license)
            documents.append(facts)
            if document.split == "train":
                counts = np.bincount(np.frombuffer(document.text.encode("utf-32-le"), np.uint32))
                totals[: len(counts)] += counts
    points = np.flatnonzero(totals)
    return WrittenShard(
        files=len(shard.outcomes), documents=documents, points=points, counts=totals[points]
    )


def _documents(shard: Shard) -> Iterator[Document]:
    texts = read_again(shard.snapshot, shard.outcomes, shard.spec)
    for outcome, text in zip(shard.outcomes, texts, strict=True):
        for path, sha256, part in parts_of(outcome, text, shard.spec.part_characters):
            split = outcome.split or shard.frozen.get(sha256)
            yield Document(
                source=outcome.entry.source,
                path=path,
                license=outcome.license,
                sha256=sha256,
                split=split or split_of(sha256, shard.spec.split),
                text=part,
            )
