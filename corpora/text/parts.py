"""Long texts as several documents: a book has no files to hold out, but it has paragraphs.

Off unless the dataset asks for it. A part ends at the last blank line before its length is
reached; nothing is lost and nothing stands twice, so the parts joined are the text.
"""

import hashlib
from collections.abc import Iterator

from corpora.document import Outcome


def parts_of(outcome: Outcome, text: str, length: int | None) -> Iterator[tuple[str, str, str]]:
    """Give (path, sha256, text) of every document that a text becomes.

    Args:
        length: characters a part has at most; None leaves the text whole.
    """
    if length is None:
        assert outcome.sha256
        yield outcome.entry.path, outcome.sha256, text
        return
    for number, part in enumerate(cut_text(text, length), start=1):
        digest = hashlib.sha256(part.encode()).hexdigest()
        yield f"{outcome.entry.path}#{number}", digest, part


def cut_text(text: str, length: int) -> Iterator[str]:
    """Cut at blank lines, where there is none at a line's end, where there is none at `length`."""
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
