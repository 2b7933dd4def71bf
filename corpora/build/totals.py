"""Counts taken while a corpus is built; its summary and its vocabulary come from them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from corpora.build.metadata_filters import reasons, settings
from corpora.corpus.summary import CorpusSummary, FunnelStep, Leak, SplitSize
from corpora.document import SPLITS, Outcome, Split
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec
from corpora.text.parts import MIN_CUT_CHARACTERS

UNICODE = 0x110000
NO_LEAK = Leak(files=0, characters=0)


DocumentFacts = tuple[str, Split, int, str | None]
"""Digest, split, characters and licence of a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenShard:
    """What was written to a shard.

    Attributes:
        files: how many files the documents came from.
        documents: facts about each, in order.
        points, counts: code points in the training split, and how often each occurs, both (C,).
    """

    files: int
    documents: Sequence[DocumentFacts]
    points: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(slots=True)
class Totals:
    """Running counts for the summary and the vocabulary."""

    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    license_notes: Sequence[str] = ()
    sizes: dict[Split, list[int]] = field(default_factory=lambda: defaultdict(list))
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    characters: NDArray[np.int64] = field(default_factory=lambda: np.zeros(UNICODE, np.int64))
    files_written: int = 0
    leak_before: Leak = NO_LEAK
    leak_after: Leak = NO_LEAK

    def add(self, outcome: Outcome) -> None:
        """Count one file with its final outcome."""
        reason = outcome.reason or ""
        self.files[reason] += 1
        self.bytes[reason] += outcome.entry.size

    def add_documents(self, written: WrittenShard) -> None:
        """Count the documents of one shard."""
        self.files_written += written.files
        for sha256, split, characters, license_ in written.documents:
            self.digest.update(f"{sha256} {split}\n".encode())
            self.sizes[split].append(characters)
            self.licenses[license_ or "unknown"] += 1
        self.characters[written.points] += written.counts

    def check(self, spec: CorpusSpec) -> None:
        """Refuse a corpus on which no model can be trained and evaluated.

        Raises:
            CorpusError: if a split is empty; counts the reasons why files were dropped.
        """
        empty = [split for split in SPLITS if not self.sizes[split]]
        if not empty:
            return
        where = settings(spec)
        dropped = ", ".join(
            f"{count} {reason}" + (f" ({where[reason]})" if reason in where else "")
            for reason, count in self.files.most_common()
            if reason
        )
        kept, seen = self.files[""], self.files.total()
        if kept:
            needs = f"three files, or {MIN_CUT_CHARACTERS:,} characters in one, are needed"
            cure = f"no document in {' and '.join(empty)}, {needs}"
            cure += f"; dropped: {dropped}" if dropped else ""
        elif seen:
            cure = f"{dropped}; `charmill explain DATASET PATH` says why a file was dropped"
        else:
            cure = "the source has none"
        raise CorpusError(f"kept {kept} of {seen} files: {cure}")

    def character_counts(self) -> dict[str, int]:
        """How often each character occurs in the training split."""
        return {chr(i): int(self.characters[i]) for i in np.flatnonzero(self.characters)}

    def summary(self, spec: CorpusSpec) -> CorpusSummary:
        """The numbers of the finished corpus."""
        return CorpusSummary(
            digest=self.digest.hexdigest(),
            seen=(self.files.total(), self.bytes.total()),
            funnel=tuple(self._funnel(spec)),
            splits={
                split: SplitSize(documents=len(sizes), characters=sum(sizes))
                for split in SPLITS
                for sizes in [self.sizes[split]]
            },
            licenses=dict(self.licenses.most_common()),
            license_notes=tuple(self.license_notes),
            leak_before=self.leak_before,
            leak_after=self.leak_after,
        )

    def _funnel(self, spec: CorpusSpec) -> Iterator[FunnelStep]:
        files, size = self.files.total(), self.bytes.total()
        for reason in reasons(spec):
            if self.files[reason]:
                files -= self.files[reason]
                size -= self.bytes[reason]
                yield FunnelStep(
                    reason=reason,
                    files_dropped=self.files[reason],
                    bytes_dropped=self.bytes[reason],
                    files_left=files,
                    bytes_left=size,
                )
