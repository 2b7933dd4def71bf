"""Write the kept documents in shards of bounded size. The second pass of a build.

Where a shard begins depends on the files alone, so any number of workers gives the same bytes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.build.examine import read_again
from corpora.build.parts import Parts
from corpora.build.sides import Arrangement
from corpora.build.totals import UNICODE, DocumentFacts, WrittenShard
from corpora.chunking import grouped
from corpora.corpus.parquet import DOCUMENT_SCHEMA, RowWriter, document_row
from corpora.dedup.split import split_of
from corpora.dedup.tokens import code_points
from corpora.document import Document, Outcome, Snapshot, Split
from corpora.spec import CorpusSpec
from corpora.text.parts import cut_by_shares, parts_of

SHARD_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Neighbouring kept files, and the Parquet file for their documents.

    Attributes:
        fixed: digest to split, of parts whose split no hash decides.
        by_shares: whether every text is cut by the shares of the split.
    """

    path: Path
    snapshot: Snapshot
    outcomes: Sequence[Outcome]
    spec: CorpusSpec
    fixed: Mapping[str, Split]
    by_shares: bool


def shards(
    arrangement: Arrangement,
    snapshot: Parts,
    spec: CorpusSpec,
    directory: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Iterator[Shard]:
    """Group kept files into shards of about `shard_bytes`."""
    of_parts = dict(arrangement.fixed) if spec.part_characters else {}
    for number, group in enumerate(grouped(arrangement.kept, shard_bytes, lambda o: o.entry.size)):
        yield Shard(
            path=directory / f"documents-{number:05d}.parquet",
            snapshot=snapshot.around(outcome.entry for outcome in group),
            outcomes=group,
            spec=spec,
            fixed=of_parts,
            by_shares=arrangement.by_shares,
        )


def write(shard: Shard) -> WrittenShard:
    """Read the files of a shard again and write their documents."""
    documents: list[DocumentFacts] = []
    totals = np.zeros(UNICODE, np.int64)
    with RowWriter(shard.path, DOCUMENT_SCHEMA) as rows:
        for document in _documents(shard):
            rows.write(document_row(document), len(document.text))
            documents.append(_facts(document))
            if document.split == "train":
                counts = np.bincount(code_points(document.text))
                totals[: len(counts)] += counts
    points = np.flatnonzero(totals)
    return WrittenShard(
        files=len(shard.outcomes), documents=documents, points=points, counts=totals[points]
    )


def count(shard: Shard) -> WrittenShard:
    """The documents that `write` would write. Files are read again only where they are cut up."""
    if shard.spec.part_characters or shard.by_shares:
        documents = [_facts(document) for document in _documents(shard)]
    else:
        documents = [_facts_of_file(outcome) for outcome in shard.outcomes]
    none = np.zeros(0, np.int64)
    return WrittenShard(files=len(shard.outcomes), documents=documents, points=none, counts=none)


def _facts(document: Document) -> DocumentFacts:
    return document.sha256, document.split, len(document.text), document.license


def _facts_of_file(outcome: Outcome) -> DocumentFacts:
    """The same of a file that becomes one document."""
    assert outcome.sha256
    assert outcome.split
    assert outcome.characters is not None
    return outcome.sha256, outcome.split, outcome.characters, outcome.license


def _documents(shard: Shard) -> Iterator[Document]:
    texts = read_again(shard.snapshot, shard.outcomes, shard.spec)
    for outcome, text in zip(shard.outcomes, texts, strict=True):
        pieces = (
            _by_shares(shard, outcome, text) if shard.by_shares else _by_hash(shard, outcome, text)
        )
        for path, sha256, split, part in pieces:
            yield Document(
                source=outcome.entry.source,
                path=path,
                license=outcome.license,
                sha256=sha256,
                split=split,
                text=part,
            )


_Piece = tuple[str, str, Split, str]
"""The path, digest, split and text of a document."""


def _by_hash(shard: Shard, outcome: Outcome, text: str) -> Iterator[_Piece]:
    for path, sha256, part in parts_of(outcome, text, shard.spec.part_characters):
        split = outcome.split or shard.fixed.get(sha256)
        yield path, sha256, split or split_of(sha256, shard.spec.split), part


def _by_shares(shard: Shard, outcome: Outcome, text: str) -> Iterator[_Piece]:
    shares = shard.spec.split
    for split, part in cut_by_shares(text, shares.validation, shares.test):
        yield (
            f"{outcome.entry.path}#{split}",
            hashlib.sha256(part.encode()).hexdigest(),
            split,
            part,
        )
