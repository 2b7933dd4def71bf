"""A part of a corpus that is too large: whole files, chosen by a hash of their names.

The choice depends on nothing but names and sizes; a file that is added moves few others.
"""

import hashlib
from collections.abc import Sequence

from corpora.document import Entry

NOT_SAMPLED = "not sampled"


def sampled(entries: Sequence[Entry], size: int | None) -> list[bool]:
    """Whether each file is in the sample: in hash order, as long as they fit into `size` bytes."""
    if size is None:
        return [True] * len(entries)
    chosen = [False] * len(entries)
    for place in sorted(range(len(entries)), key=lambda place: _digest(entries[place])):
        if entries[place].size <= size:
            chosen[place] = True
            size -= entries[place].size
    return chosen


def _digest(entry: Entry) -> bytes:
    return hashlib.sha256(f"{entry.source}/{entry.path}".encode()).digest()
