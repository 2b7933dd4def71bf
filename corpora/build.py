"""From a snapshot to a corpus: filter, decode, drop duplicates, split, write.

One pass over the metadata, then one stream over the content of what is left.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora.decoding import UndecodableError, decode
from corpora.document import SPLITS, Document, Entry, Outcome, Snapshot, Split, Step
from corpora.errors import CorpusError
from corpora.filters import EMPTY, UNREADABLE, first_drop, metadata_rules, reasons
from corpora.licenses import stated_license
from corpora.spec import CorpusSpec
from corpora.split import split_of
from corpora.store import (
    DOCUMENT_SCHEMA,
    DOCUMENTS,
    LEDGER,
    LEDGER_SCHEMA,
    CorpusSummary,
    FunnelRow,
    RowWriter,
    SplitSize,
    document_row,
    ledger_row,
    write_character_counts,
)

LEDGER_ROW_BYTES = 400
FORBIDDEN = "\uffff"
"""The one character no document may hold: models use it for the border between files."""


def build_corpus(snapshot: Snapshot, spec: CorpusSpec, directory: Path) -> Iterator[Step]:
    """Write the corpus of `snapshot` into `directory`, yielding progress.

    Raises:
        CorpusError: if some split would be empty.
    """
    rules = metadata_rules(spec)
    tally = _Tally()
    with (
        RowWriter(directory / DOCUMENTS, DOCUMENT_SCHEMA) as documents,
        RowWriter(directory / LEDGER, LEDGER_SCHEMA) as ledger,
    ):
        wanted = []
        for entry in snapshot.entries():
            dropped = first_drop(rules, entry)
            if dropped is None:
                wanted.append(entry)
                continue
            reason, detail = dropped
            outcome = Outcome(entry=entry, reason=reason, detail=detail)
            tally.add(outcome)
            ledger.write(ledger_row(outcome), LEDGER_ROW_BYTES)
        kept: dict[str, str] = {}
        for done, (entry, content) in enumerate(snapshot.read(wanted), start=1):
            outcome, document = _judge(entry, content, kept, spec)
            tally.add(outcome, document)
            ledger.write(ledger_row(outcome), LEDGER_ROW_BYTES)
            if document is not None:
                documents.write(document_row(document), entry.size)
            yield Step(done=done, total=len(wanted), unit="files")
    tally.check()
    write_character_counts(directory, tally.character_counts())
    tally.summary(spec).save(directory)


def _judge(
    entry: Entry, content: bytes | None, kept: dict[str, str], spec: CorpusSpec
) -> tuple[Outcome, Document | None]:
    """Decide about a file by its content; `kept` maps digests to the documents kept so far."""
    if content is None:
        return Outcome(entry=entry, reason=UNREADABLE), None
    try:
        decoded = decode(content)
    except UndecodableError as error:
        return Outcome(entry=entry, reason=str(error)), None
    text = decoded.text.replace(FORBIDDEN, "\ufffd")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    license_ = stated_license(text) or entry.license
    split = split_of(sha256, spec.split)

    def outcome(reason: str | None = None, duplicate_of: str | None = None) -> Outcome:
        return Outcome(
            entry=entry,
            reason=reason,
            duplicate_of=duplicate_of,
            sha256=sha256,
            license=license_,
            split=split if reason is None else None,
            encoding=decoded.encoding,
            characters=len(text),
        )

    if not text.strip():
        return outcome(EMPTY), None
    if sha256 in kept:
        return outcome("duplicate", kept[sha256]), None
    kept[sha256] = f"{entry.source}/{entry.path}"
    document = Document(
        source=entry.source,
        path=entry.path,
        license=license_,
        sha256=sha256,
        split=split,
        text=text,
    )
    return outcome(), document


@dataclass(slots=True)
class _Tally:
    """Counts what the summary and the vocabulary need, while the corpus streams by."""

    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    splits: dict[Split, list[int]] = field(default_factory=lambda: defaultdict(list))
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    characters: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(0x110000, dtype=np.int64)
    )

    def add(self, outcome: Outcome, document: Document | None = None) -> None:
        """Count one entry."""
        reason = outcome.reason or ""
        self.files[reason] += 1
        self.bytes[reason] += outcome.entry.size
        if document is None:
            return
        self.licenses[document.license or "unknown"] += 1
        self.splits[document.split].append(len(document.text))
        self.digest.update(f"{document.sha256} {document.split}\n".encode())
        if document.split == "train":
            points = np.frombuffer(document.text.encode("utf-32-le"), np.uint32)
            counts = np.bincount(points)
            self.characters[: len(counts)] += counts

    def check(self) -> None:
        """Refuse a corpus that cannot be trained on and judged."""
        empty = [split for split in SPLITS if not self.splits[split]]
        if empty:
            kept, seen = self.files[""], self.files.total()
            raise CorpusError(
                f"kept {kept} of {seen} files, none of them in {' and '.join(empty)}: "
                "loosen the filters, add sources or set larger corpus.split shares"
            )

    def character_counts(self) -> dict[str, int]:
        """Characters of the training split and how often each stands there."""
        return {chr(i): int(self.characters[i]) for i in np.flatnonzero(self.characters)}

    def summary(self, spec: CorpusSpec) -> CorpusSummary:
        """The numbers of the finished corpus."""
        return CorpusSummary(
            digest=self.digest.hexdigest(),
            seen=(self.files.total(), self.bytes.total()),
            funnel=tuple(self._funnel(spec)),
            splits={
                split: SplitSize(files=len(sizes), characters=sum(sizes))
                for split in SPLITS
                for sizes in [self.splits[split]]
            },
            licenses=dict(self.licenses.most_common()),
        )

    def _funnel(self, spec: CorpusSpec) -> Iterator[FunnelRow]:
        files, size = self.files.total(), self.bytes.total()
        for reason in reasons(spec):
            if self.files[reason]:
                files -= self.files[reason]
                size -= self.bytes[reason]
                yield FunnelRow(
                    reason=reason,
                    files_dropped=self.files[reason],
                    bytes_dropped=self.bytes[reason],
                    files_left=files,
                    bytes_left=size,
                )
