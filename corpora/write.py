"""Write the kept documents in shards of bounded size. The second pass of a build.

Where a shard begins depends on the files alone, so any number of workers gives the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from corpora.document import Document, Outcome, Snapshot, Split
from corpora.examine import read_again
from corpora.parts import parts_of
from corpora.spec import CorpusSpec
from corpora.split import split_of
from corpora.store import DOCUMENT_SCHEMA, RowWriter, document_row

Item = TypeVar("Item")
SHARD_BYTES = 128 * 2**20
UNICODE = 0x110000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Neighbouring kept files, and the Parquet file their documents go to.

    Attributes:
        frozen: digest to split, of parts that must stay where they are.
    """

    path: Path
    snapshot: Snapshot
    outcomes: Sequence[Outcome]
    spec: CorpusSpec
    frozen: Mapping[str, Split]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What went into a shard.

    Attributes:
        files: how many files the documents came from.
        documents: digest, split, characters and licence of each, in order.
        points, counts: code points of the training split, and how often each stands there.
    """

    files: int
    documents: Sequence[tuple[str, Split, int, str | None]]
    points: NDArray[np.int64]
    counts: NDArray[np.int64]


def shards(
    outcomes: Sequence[Outcome],
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    frozen: Mapping[str, Split],
) -> Iterator[Shard]:
    """Cut kept files into shards of about SHARD_BYTES."""
    of_parts = dict(frozen) if spec.part_characters else {}
    for number, group in enumerate(cut(outcomes, SHARD_BYTES, lambda o: o.entry.size)):
        path = directory / f"documents-{number:05d}.parquet"
        yield Shard(path=path, snapshot=snapshot, outcomes=group, spec=spec, frozen=of_parts)


def cut(items: Sequence[Item], limit: int, size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut a sequence into groups, each ending where it reaches `limit`."""
    group: list[Item] = []
    held = 0
    for item in items:
        group.append(item)
        held += size(item)
        if held >= limit:
            yield group
            group, held = [], 0
    if group:
        yield group


def write(shard: Shard) -> Written:
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
    return Written(
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
