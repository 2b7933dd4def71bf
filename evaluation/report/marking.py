"""Render samples safely: hostile characters visible, errors and copies marked.

A sample is hostile input. All of its text is escaped here before it reaches a page, and control
characters and characters that change the reading direction are replaced by visible symbols.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup, escape

from evaluation.results import CopiedSpan, Mark, ShownSample
from modeling.vocab import FILE_MARK
from system.display import visible

SURPRISAL_STEPS = (1.0, 2.0, 4.0, 6.0, 8.0)
"""Bits at which the shading of a character gets one step darker."""
COPY_COLOURS = 5
"""Number of colours for copied spans, used in rotation."""
_RULE = "\u2500" * 8


def shown_part(text: str, characters: int) -> int:
    """Where to cut `text` so that at most `characters` remain, after a whole line if possible."""
    if len(text) <= characters:
        return len(text)
    return text.rfind("\n", 0, characters) + 1 or characters


def line_of(text: str, offset: int) -> int:
    """Line number of a character, counted from 1; a file mark also ends a line."""
    return len(re.findall(f"[\n{FILE_MARK}]", text[:offset])) + 1


def copies_of(sample: ShownSample) -> list[tuple[int, CopiedSpan]]:
    """The copied spans with the number of their colour, from 1."""
    return [(i % COPY_COLOURS + 1, span) for i, span in enumerate(sample.copied)]


def marked_html(sample: ShownSample, start: int, stop: int) -> Markup:
    """Render characters start to stop: copies in `mark`, surprisal in `i`, the first error in `b`.

    Adjacent characters that look the same share one element, which keeps the page small.
    """
    owners = _owners(sample)
    fault = _fault_place(sample)
    parts: list[str] = []
    for owner, places in groupby(range(start, stop), key=owners.__getitem__):
        inner = _shaded(sample, list(places), fault)
        parts.append(_copy_html(sample, owner, inner) if owner >= 0 else inner)
    return Markup("".join(parts))  # noqa: S704 - every part is escaped


def marked_plain(sample: ShownSample, stop: int) -> str:
    """Render the first `stop` characters as plain text, with a caret line under the first error."""
    fault = _fault_place(sample)
    if sample.first_error is None or fault is None or fault >= stop:
        return _plain(sample.text[:stop])
    end = sample.text.find("\n", fault, stop)
    end = stop if end < 0 else end
    begin = max(sample.text.rfind("\n", 0, fault), sample.text.rfind(FILE_MARK, 0, fault)) + 1
    caret = " " * len(_plain(sample.text[begin:fault])) + f"^ {_one_line(sample.first_error)}"
    return f"{_plain(sample.text[:end])}\n{caret}{_plain(sample.text[end:stop])}"


def _fault_place(sample: ShownSample) -> int | None:
    """Offset of the character with the error; for an error at the end, the last character."""
    if sample.first_error is None or not sample.text:
        return None
    return min(sample.first_error.offset, len(sample.text) - 1)


def _owners(sample: ShownSample) -> Sequence[int]:
    """For every character, the index of the copied span that it is shown in, -1 for none."""
    owners = [-1] * len(sample.text)
    for number, span in reversed(list(enumerate(sample.copied))):
        owners[span.start : span.end] = [number] * (span.end - span.start)
    return owners


def _shaded(sample: ShownSample, places: list[int], fault: int | None) -> str:
    """Group adjacent characters by surprisal step, with the error in its own element."""

    def look(place: int) -> tuple[int, bool]:
        return bisect_right(SURPRISAL_STEPS, sample.surprisal[place]), place == fault

    parts: list[str] = []
    for (step, faulty), run in groupby(places, key=look):
        text = _html("".join(sample.text[place] for place in run))
        shaded = f"<i class=s{step}>{text}</i>" if step else text
        parts.append(_fault_html(sample.first_error, shaded) if faulty else shaded)
    return "".join(parts)


def _html(text: str) -> str:
    """Escape the text, with a rule for every file mark."""
    rule = "<span class=eof>end of file</span>"
    return rule.join(escape(visible(part)) for part in text.split(FILE_MARK))


def _fault_html(fault: Mark | None, inner: str) -> str:
    assert fault is not None
    return f'<b class=fault title="First error: {escape(_one_line(fault))}">{inner}</b>'


def _copy_html(sample: ShownSample, number: int, inner: str) -> str:
    colour, span = copies_of(sample)[number]
    origin = escape(visible(f"{span.path} ({span.license or 'licence unknown'})"))
    return f'<mark class=c{colour} title="Copied from {origin}">{inner}</mark>'


def _plain(text: str) -> str:
    return f"\n{_RULE} end of file {_RULE}\n".join(map(visible, text.split(FILE_MARK)))


def _one_line(mark: Mark) -> str:
    return visible(" ".join(mark.message.split()))
