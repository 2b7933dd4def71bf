"""Cut long texts into several documents: a book has no files to hold out, but it has paragraphs.

Off unless the dataset asks for it. A part ends at the last blank line within its length. The parts
joined are the text: nothing is lost, nothing is repeated.
"""

import hashlib
from collections.abc import Iterator

from corpora.document import Outcome


def parts_of(outcome: Outcome, text: str, length: int | None) -> Iterator[tuple[str, str, str]]:
    """Yield (path, sha256, text) of every document of a text.

    Args:
        length: maximum characters of a part; None keeps the text whole.
    """
    if length is None:
        assert outcome.sha256
        yield outcome.entry.path, outcome.sha256, text
        return
    for number, part in enumerate(cut_text(text, length), start=1):
        digest = hashlib.sha256(part.encode()).hexdigest()
        yield f"{outcome.entry.path}#{number}", digest, part


def cut_text(text: str, length: int) -> Iterator[str]:
    """Cut at a blank line, or else at a line end, or else at `length`."""
    start = 0
    while len(text) - start > length:
        end = start + length
        for border in ("\n\n", "\n"):
            found = text.rfind(border, start, end)
            if found >= start:
                end = found + len(border)
                break
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
