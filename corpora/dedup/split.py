"""Which split a document belongs to: a hash of its text decides, and nothing else.

So the split does not move when files are added, removed or renamed, and equal texts always fall
into the same split. Only where so few texts leave a split empty, one text is moved into it.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping

from corpora.document import Entry, Split
from corpora.spec import SplitSpec

FILLED_FIRST: tuple[Split, ...] = ("test", "validation", "train")


def split_of(sha256: str, spec: SplitSpec) -> Split:
    """Assign a text, given by its hexadecimal digest, by the shares in `spec`."""
    return _split_at(_position(f"{spec.salt}:{sha256}"), spec)


def naive_split_of(entry: Entry, spec: SplitSpec) -> Split:
    """Assign a file by its name alone, as a split that ignores copies would."""
    return _split_at(_position(f"{spec.salt}:{entry.source}/{entry.path}"), spec)


def moves(splits: Mapping[str, Split], spec: SplitSpec, fixed: Collection[str]) -> dict[str, Split]:
    """Texts to move so that no split is empty; {} if none is.

    The text whose hash is next to the border of the empty split is moved, from a split that keeps
    another. So it is the same text as long as none with a closer hash is added.

    Args:
        splits: digest to split, of texts that are not near-copies of each other.
        fixed: digests of texts that must stay.

    Returns:
        Digest to new split. A split stays empty if there are fewer than three texts, or if those
        that could be moved are fixed.
    """
    changed = dict(splits)
    for split in FILLED_FIRST:
        count = Counter(changed.values())
        movable = [text for text, at in changed.items() if count[at] > 1 and text not in fixed]
        if movable and not count[split]:
            nearest = max if split == "train" else min
            changed[nearest(movable, key=lambda text: _position(f"{spec.salt}:{text}"))] = split
    return {text: split for text, split in changed.items() if split != splits[text]}


def _position(name: str) -> float:
    """A place from 0 to 1, evenly distributed."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _split_at(position: float, spec: SplitSpec) -> Split:
    if position < spec.test:
        return "test"
    return "validation" if position < spec.test + spec.validation else "train"
