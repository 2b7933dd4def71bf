"""Query the ledger: why is this file in or out, and what changed between two corpora?"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpora.corpus.parquet import LEDGER, LEDGER_SCHEMA, reading
from corpora.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
MAX_SUGGESTIONS = 5
BLOB_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
COMPARED = ("source", "path", "bytes", "handle", "reason", "sha256", "split")


def rows_of(directory: Path, path: str) -> list[Row]:
    """Find a file's rows in the ledger of a corpus, one for each source that has the file.

    Args:
        path: "path" or "source/path".

    Raises:
        CorpusError: if the ledger has no such file; suggests files of the same name. If it is
            damaged.
    """
    with reading(directory / LEDGER, LEDGER_SCHEMA):
        table = pq.read_table(directory / LEDGER)
        table.validate(full=True)
    paths = table.select(["source", "path"]).to_pandas()
    names = paths["source"] + "/" + paths["path"]
    matches = np.flatnonzero((paths["path"] == path) | (names == path))
    if len(matches):
        return table.take(matches).to_pylist()
    base_name = path.rsplit("/", 1)[-1]
    similar = names[paths["path"].str.rsplit("/", n=1).str[-1] == base_name].head(MAX_SUGGESTIONS)
    hint = f"; seen with that name: {', '.join(similar)}" if len(similar) else ""
    raise CorpusError(f"{path}: no such file was seen{hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a search.

    Attributes:
        total: number of all rows that match.
        reasons: of these, the dropped files by reason, the most frequent first; "" is kept.
    """

    rows: Sequence[Row]
    total: int
    reasons: Mapping[str, int]


def search(
    directory: Path, text: str = "", *, reason: str | None = None, skip: int = 0, limit: int = 100
) -> Found:
    """Find rows in the ledger of a corpus, in its order; memory does not grow with the ledger.

    Args:
        text: part of "source/path", in upper or lower case.
        reason: why a file was dropped; "" for kept files, None for all.
        skip, limit: which of the matching rows to return.

    Raises:
        CorpusError: if the ledger is damaged.
    """
    rows: list[Row] = []
    total, reasons = 0, Counter[str]()
    with reading(directory / LEDGER, LEDGER_SCHEMA), pq.ParquetFile(directory / LEDGER) as file:
        for batch in file.iter_batches():
            table = batch.select(["source", "path", "reason"]).to_pandas()
            names, why = table["source"] + "/" + table["path"], table["reason"].fillna("")
            is_named = names.str.contains(text, case=False, regex=False)
            reasons.update(why[is_named])
            matches = np.flatnonzero(is_named & ((why == reason) if reason is not None else True))
            wanted = matches[max(0, skip - total) :][: limit - len(rows)]
            rows += batch.take(pa.array(wanted)).to_pylist()
            total += len(matches)
    return Found(rows=rows, total=total, reasons=dict(reasons.most_common()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed from an old corpus to a new one.

    Attributes:
        added, removed: names of files that only one of the two has seen.
        changed: files whose text changed.
        decisions: files seen by both whose decision or reason changed: (name, old, new).
        moved: files whose split changed: (name, old, new).
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
    """Compare the ledgers of two corpora, file by file.

    Raises:
        CorpusError: if a ledger is damaged.
    """
    before, after = _read(old), _read(new)
    both = before.index.intersection(after.index).sort_values()
    old_rows, new_rows = before.loc[both], after.loc[both]
    kept = [ledger.loc[ledger["reason"] == "", "bytes"] for ledger in (before, after)]
    return Difference(
        added=after.index.difference(before.index).tolist(),
        removed=before.index.difference(after.index).tolist(),
        changed=both[content_changed(old_rows, new_rows)].tolist(),
        decisions=_changes(*(rows["reason"].replace("", "kept") for rows in (old_rows, new_rows))),
        moved=_changes(old_rows["split"], new_rows["split"]),
        kept=(len(kept[0]), len(kept[1])),
        kept_bytes=(int(kept[0].sum()), int(kept[1].sum())),
        reasons=_reasons(before, after),
    )


def remarks(directory: Path, names: Iterable[str]) -> dict[str, str]:
    """What the rules saw in some dropped files, by "source/path"; "" if there is nothing to add.

    Raises:
        CorpusError: if the ledger is damaged.
    """
    rows = _read(directory, ["source", "path", "detail", "duplicate_of"]).loc[list(names)]
    twins = ("of " + rows["duplicate_of"]).where(rows["duplicate_of"] != "", "")
    pairs = zip(rows.index, twins, rows["detail"], strict=True)
    return {str(name): "; ".join(filter(None, texts)) for name, *texts in pairs}


def content_changed(old: "pd.DataFrame", new: "pd.DataFrame") -> "pd.Series":
    """Whether the content of each file changed; both tables have the same files in the same order.

    Decided by digest where both contents were read, otherwise by size and git's blob id. Handles of
    other sources say where a content is stored, not what it is.
    """
    hashed = (old["sha256"] != "") & (new["sha256"] != "")
    blobs = old["handle"].str.fullmatch(BLOB_ID) & new["handle"].str.fullmatch(BLOB_ID)
    unlike = (old["bytes"] != new["bytes"]) | (blobs & (old["handle"] != new["handle"]))
    return unlike.where(~hashed, old["sha256"] != new["sha256"])


def _read(directory: Path, columns: Sequence[str] = COMPARED) -> "pd.DataFrame":
    """The ledger by "source/path"; of two files with one name the last, "" for what is missing."""
    with reading(directory / LEDGER, LEDGER_SCHEMA):
        table = pq.read_table(directory / LEDGER, columns=list(columns))
        table.validate(full=True)
    frame = table.to_pandas()
    frame.index = frame.pop("source") + "/" + frame.pop("path")
    return frame[~frame.index.duplicated(keep="last")].fillna("")


def _changes(old: "pd.Series", new: "pd.Series") -> list[tuple[str, str, str]]:
    """(name, old, new) of files whose value changed; skips files without one on either side."""
    changed = (old != "") & (new != "") & (old != new)
    names = map(str, old.index[changed.to_numpy()])
    return list(zip(names, old[changed], new[changed], strict=True))


def _reasons(old: "pd.DataFrame", new: "pd.DataFrame") -> dict[str, tuple[int, int]]:
    before, after = (Counter(filter(None, ledger["reason"])) for ledger in (old, new))
    return {str(name): (before[name], after[name]) for name in sorted({*before, *after})}
