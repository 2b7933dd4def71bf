"""A corpus in numbers: what was seen, what each rule dropped, what remains, what leaks."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from corpora.document import Split

SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """What one rule dropped, and what remains after it.

    Attributes:
        reason: the name of the rule, as in the ledger.
    """

    reason: str
    files_dropped: int
    bytes_dropped: int
    files_left: int
    bytes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Held-out files that have a copy or near-copy in the training text."""

    files: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSize:
    """The amount of text in a split."""

    documents: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSummary:
    """A corpus in numbers.

    Attributes:
        digest: sha256 of every document's digest and split; identifies the corpus.
        seen: files and bytes before any rule.
        funnel: the rules in order, without those that dropped nothing.
        licenses: number of documents by licence, "unknown" if none is stated.
        license_notes: what the reader must know about the licences of the sources.
        leak_before: held-out files with a near-copy in training, had files been split by path.
        leak_after: the same for the actual split.
    """

    digest: str
    seen: tuple[int, int]
    funnel: tuple[FunnelStep, ...]
    splits: Mapping[Split, SplitSize]
    licenses: Mapping[str, int]
    license_notes: tuple[str, ...] = ()
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
            license_notes=tuple(data.get("license_notes", ())),
            leak_before=Leak(**data["leak_before"]),
            leak_after=Leak(**data["leak_after"]),
        )
