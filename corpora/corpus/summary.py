"""A corpus in numbers: what was seen, what each rule dropped, what remains, what leaks."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter

from corpora.document import Split
from corpora.errors import CorpusError
from system.damage import explaining_damage

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
    """Held-out files that have a copy or near-copy in the training text.

    Attributes:
        twins: the name of each with that of its copy, for the actual split.
    """

    files: int
    characters: int
    twins: tuple[tuple[str, str], ...] = ()


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
        """Read what `save` wrote.

        Raises:
            CorpusError: if it is damaged.
        """
        path = directory / SUMMARY
        with explaining_damage(path, CorpusError, "build the corpus again: --from corpus --force"):
            return TypeAdapter(cls).validate_json(path.read_bytes(), strict=True)
