"""Ask the ledger: why is this file in or out, and what is another between two corpora?"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpora.corpus.parquet import LEDGER
from corpora.errors import CorpusError

Row = Mapping[str, Any]
NEAREST = 5
BLOB_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def rows_of(directory: Path, path: str) -> list[Row]:
    """The ledger's rows of a file, given as "path" or "source/path"; one per source that has it.

    Raises:
        CorpusError: if no file of that name was seen; names some that were.
    """
    ledger = _read(directory)
    found = [row for row in ledger if path in (row["path"], _name(row))]
    if found:
        return found
    last = path.rsplit("/", 1)[-1]
    alike = [_name(row) for row in ledger if row["path"].rsplit("/", 1)[-1] == last]
    hint = f"; seen with that name: {', '.join(alike[:NEAREST])}" if alike else ""
    raise CorpusError(f"{path}: no such file was seen{hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is another in a new corpus.

    Attributes:
        added, removed: names of files that only one of the two has seen.
        changed: files whose text is another.
        decisions: files seen by both whose decision or reason is another: (name, old, new).
        moved: files whose split is another: (name, old, new).
        kept, kept_bytes: kept files and their bytes, old and new.
        reasons: dropped files by reason, old and new.
    """

    added: Sequence[str]
    removed: Sequence[str]
    changed: Sequence[str]
    decisions: Sequence[tuple[str, str, str]]
    moved: Sequence[tuple[str, str, str]]
    kept: tuple[int, int]
    kept_bytes: tuple[int, int]
    reasons: Mapping[str, tuple[int, int]]


def compare(old: Path, new: Path) -> Difference:
    """Compare the ledgers of two corpora, file by file."""
    before = {_name(row): row for row in _read(old)}
    after = {_name(row): row for row in _read(new)}
    both = sorted(before.keys() & after.keys())
    return Difference(
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=[name for name in both if _is_another(before[name], after[name])],
        decisions=list(_changes(both, before, after, _verdict)),
        moved=list(_changes(both, before, after, lambda row: row["split"])),
        kept=(_kept(before), _kept(after)),
        kept_bytes=(_kept_bytes(before), _kept_bytes(after)),
        reasons=_reasons(before, after),
    )


def _changes(
    names: Sequence[str], before: Mapping[str, Row], after: Mapping[str, Row], value: Any
) -> Iterator[tuple[str, str, str]]:
    """Names whose value is another; where one of the two has none, nothing is said."""
    for name in names:
        old, new = value(before[name]), value(after[name])
        if old and new and old != new:
            yield name, old, new


def _is_another(old: Row, new: Row) -> bool:
    """Whether the content changed: by digest where both were read, else by size and git's blob id.

    Other handles than git's say where a content stands, not what it is.
    """
    if old["sha256"] and new["sha256"]:
        return old["sha256"] != new["sha256"]
    blobs = all(BLOB_ID.fullmatch(row["handle"] or "") for row in (old, new))
    return old["bytes"] != new["bytes"] or (blobs and old["handle"] != new["handle"])


def _verdict(row: Row) -> str:
    return row["reason"] or "kept"


def _kept(rows: Mapping[str, Row]) -> int:
    return sum(row["reason"] is None for row in rows.values())


def _kept_bytes(rows: Mapping[str, Row]) -> int:
    return sum(row["bytes"] for row in rows.values() if row["reason"] is None)


def _reasons(before: Mapping[str, Row], after: Mapping[str, Row]) -> dict[str, tuple[int, int]]:
    old, new = (Counter(row["reason"] for row in rows.values()) for rows in (before, after))
    names = sorted({*old, *new} - {None})
    return {str(name): (old[name], new[name]) for name in names}


def _read(directory: Path) -> list[Row]:
    return pq.read_table(directory / LEDGER).to_pylist()


def _name(row: Row) -> str:
    return f"{row['source']}/{row['path']}"
