"""Sample a corpus that is too large: whole files, chosen by a hash of their names.

The choice depends on names and sizes only, so adding a file changes it for few others.
"""

import hashlib
from collections.abc import Sequence

from corpora.document import Entry

NOT_SAMPLED = "not sampled"


def sampled(entries: Sequence[Entry], size: int | None) -> list[bool]:
    """Whether each file is in the sample: files in hash order, as far as `size` bytes allow."""
    if size is None:
        return [True] * len(entries)
    chosen = [False] * len(entries)
    for position in sorted(range(len(entries)), key=lambda position: _digest(entries[position])):
        if entries[position].size <= size:
            chosen[position] = True
            size -= entries[position].size
    return chosen


def _digest(entry: Entry) -> bytes:
    return hashlib.sha256(f"{entry.source}/{entry.path}".encode()).digest()
