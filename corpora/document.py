"""The records that text passes through between a source and a corpus.

An `Entry` is a file that a source lists, known only by its metadata; its content is read only if no
rule on metadata drops it. A `Document` is a text in the corpus. An `Outcome` is one row of the
ledger: every entry gets exactly one, kept or dropped, with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Split = Literal["train", "validation", "test"]
UNREACHABLE = "unreachable"
"""How the problem of a whole repository begins that could not be fetched."""
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as its source lists it.

    Attributes:
        source: which of the dataset's repositories or folders, for example "torch7".
        path: path inside the source, separated by "/", valid UTF-8 (other bytes as %XX).
        size: bytes.
        handle: what the source needs to read the content (a blob id, a member name).
        problem: why there is no content to read ("symbolic link"), None for a regular file.
        license: SPDX expression that the source declares for all its files, None if it has none.
    """

    source: str
    path: str
    size: int
    handle: str
    problem: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text in the corpus, with its metadata."""

    source: str
    path: str
    license: str | None
    sha256: str
    split: Split
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The decision about an entry.

    Attributes:
        reason: the rule that dropped it ("extension", "tests", "duplicate"), None if kept.
        detail: what the rule saw, in words; "" if there is nothing to add.
        duplicate_of: "source/path" of the first file with the same text, or of a kept near-copy.
        cluster: "source/path" of the first file that this kept one is a near-copy of.
        vendored: whether its path marks it as a copy of another project's file.
        encoding: how the bytes were decoded, None if they were not.
        characters: length of the text after decoding, None if it was not decoded.
    """

    entry: Entry
    reason: str | None = None
    detail: str = ""
    duplicate_of: str | None = None
    cluster: str | None = None
    vendored: bool = False
    sha256: str | None = None
    license: str | None = None
    split: Split | None = None
    encoding: str | None = None
    characters: int | None = None


class Snapshot(Protocol):
    """The fetched material of one dataset, opened for reading; must be picklable."""

    def entries(self) -> Iterator[Entry]:
        """List the files, in an order that depends only on the material."""
        ...

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read the content of these entries, in the given order; None if it is missing."""
        ...


@runtime_checkable
class Divisible(Protocol):
    """A snapshot whose sources can be listed and read one by one, on several machines."""

    def parts(self) -> Mapping[str, Snapshot]:
        """A snapshot of every source, by the `source` of its entries; together they are this one.

        Their order is that of the entries.
        """
        ...
