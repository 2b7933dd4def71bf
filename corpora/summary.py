"""A corpus in numbers: what was seen, what each rule took, what is left, what leaks."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from corpora.clusters import Leak
from corpora.document import SPLITS, Outcome, Split
from corpora.errors import CorpusError
from corpora.filters import reasons
from corpora.funnel import FunnelStep
from corpora.spec import CorpusSpec
from corpora.write import UNICODE, Written

SUMMARY = "summary.json"
NO_LEAK = Leak(files=0, characters=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSize:
    """How much text stands in a split."""

    documents: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSummary:
    """A corpus in numbers.

    Attributes:
        digest: sha256 over every document's digest and split: the identity of the corpus.
        seen: files and bytes before any rule.
        funnel: the rules in order, those that dropped nothing left out.
        licenses: kept documents by licence, "unknown" where none is stated.
        leak_before: held-out files with a near-copy in training, had files been split by path.
        leak_after: the same for the split as it is.
    """

    digest: str
    seen: tuple[int, int]
    funnel: tuple[FunnelStep, ...]
    splits: Mapping[Split, SplitSize]
    licenses: Mapping[str, int]
    leak_before: Leak
    leak_after: Leak

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
            funnel=tuple(FunnelStep(**row) for row in data["funnel"]),
            splits={name: SplitSize(**size) for name, size in data["splits"].items()},
            licenses=data["licenses"],
            leak_before=Leak(**data["leak_before"]),
            leak_after=Leak(**data["leak_after"]),
        )


@dataclass(slots=True)
class Totals:
    """Counts what the summary and the vocabulary need, while a corpus is built."""

    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    sizes: dict[Split, list[int]] = field(default_factory=lambda: defaultdict(list))
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    characters: NDArray[np.int64] = field(default_factory=lambda: np.zeros(UNICODE, np.int64))
    leak_before: Leak = NO_LEAK
    leak_after: Leak = NO_LEAK

    def add(self, outcome: Outcome) -> None:
        """Count one file with its final outcome."""
        reason = outcome.reason or ""
        self.files[reason] += 1
        self.bytes[reason] += outcome.entry.size

    def add_documents(self, written: Written) -> None:
        """Count the documents of one shard."""
        for sha256, split, characters, license_ in written.documents:
            self.digest.update(f"{sha256} {split}\n".encode())
            self.sizes[split].append(characters)
            self.licenses[license_ or "unknown"] += 1
        self.characters[written.points] += written.counts

    def check(self) -> None:
        """Refuse a corpus that cannot be trained on and judged.

        Raises:
            CorpusError: if some split is empty.
        """
        empty = [split for split in SPLITS if not self.sizes[split]]
        if empty:
            kept, seen = self.files[""], self.files.total()
            raise CorpusError(
                f"kept {kept} of {seen} files, no document in {' and '.join(empty)}: loosen the "
                "filters, add sources, set larger corpus.split shares or corpus.part_characters"
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
                split: SplitSize(documents=len(sizes), characters=sum(sizes))
                for split in SPLITS
                for sizes in [self.sizes[split]]
            },
            licenses=dict(self.licenses.most_common()),
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
