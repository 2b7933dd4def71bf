"""Which split a document belongs to: a hash of its text decides, and nothing else.

So the split does not move when files are added, removed or renamed, and equal texts always fall
into the same split.
"""

import hashlib

from corpora.document import Entry, Split
from corpora.spec import SplitSpec


def split_of(sha256: str, spec: SplitSpec) -> Split:
    """Assign a text, given by its hexadecimal digest, by the shares in `spec`."""
    return _split_at(f"{spec.salt}:{sha256}", spec)


def naive_split_of(entry: Entry, spec: SplitSpec) -> Split:
    """Assign a file by its name alone, as a split that ignores copies would."""
    return _split_at(f"{spec.salt}:{entry.source}/{entry.path}", spec)


def _split_at(name: str, spec: SplitSpec) -> Split:
    salted = hashlib.sha256(name.encode()).digest()
    position = int.from_bytes(salted[:8], "big") / 2**64
    if position < spec.test:
        return "test"
    return "validation" if position < spec.test + spec.validation else "train"
