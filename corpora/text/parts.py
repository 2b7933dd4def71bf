"""Cut texts into several documents: a book has no files to hold out, but it has paragraphs.

By length if the dataset asks for it; by the shares of the split where there are too few documents.
A part ends at a blank line if there is one near. The parts joined are the text: nothing is lost,
nothing is repeated.
"""

import hashlib
from collections.abc import Iterator

from corpora.document import SPLITS, Outcome, Split

MIN_CUT_CHARACTERS = 1_000
"""Of a shorter text, a twentieth is no text to measure a model on."""
BORDERS = ("\n\n", "\n", " ")
TOLERANCE = 0.4
"""How far a border may be from where the shares put it, as a part of the smallest share."""


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


def cut_by_shares(text: str, validation: float, test: float) -> Iterator[tuple[Split, str]]:
    """Cut a text into its beginning to train on and two parts, of about these shares, to hold out.

    A text of less than MIN_CUT_CHARACTERS is not cut.
    """
    if len(text) < MIN_CUT_CHARACTERS:
        yield "train", text
        return
    window = int(len(text) * min(validation, test, 1 - validation - test) * TOLERANCE)
    places = [int(len(text) * (1 - share)) for share in (validation + test, test)]
    ends = [_border(text, place, window) for place in places]
    for split, start, end in zip(SPLITS, [0, *ends], [*ends, len(text)], strict=True):
        if start < end:
            yield split, text[start:end]


def _border(text: str, place: int, window: int) -> int:
    """The end of the last paragraph, line or word within `window` characters of `place`."""
    for border in BORDERS:
        found = text.rfind(border, place - window, place + window)
        if found >= 0:
            return found + len(border)
    return place
