"""Cut Project Gutenberg's licence, small print and credits off a book, and report what was cut.

The wording of the border lines changed over thirty years. The patterns below cover the "small
print" of the 1990s, the later "etext" and "eBook" lines, and titles that wrap. The search is
limited to both ends, so a book that quotes them keeps its text. Without a border nothing is cut.
"""

import re
from dataclasses import dataclass

HEADER_BYTES = 40_000
FOOTER_BYTES = 60_000
START_OF = rb"START OF [^\r\n]{0,40}?PROJECT GUTENBERG(?:[^*]{0,300}\*{3}|[^\r\n]*)"
START = re.compile(
    rb"^(?:\xef\xbb\xbf)?[ \t*]*(?:" + START_OF + rb"|END[ \t*]*THE SMALL PRINT[^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
CREDITS = re.compile(
    rb"\s*(?:(?:Produced by|E-?text prepared by|This e-?(?:text|book) was (?:prepared|produced) by"
    rb"|Special thanks are due to|Transcribed from)\b[^\r\n]*(?:\r?\n[^\r\n]+){0,9}(?:\r?\n){2,})+",
    re.IGNORECASE,
)
"""Paragraphs after the border that name the makers of the file."""
END = re.compile(
    rb"^[ \t*]*(?:END|ENDE|FIN)\b[^\r\n]{0,40}?PROJE[CK]?T GUTENBERG[^\r\n]*",
    re.IGNORECASE | re.MULTILINE,
)
SMALL_PRINT = re.compile(
    rb"^[ \t*]*START[ \t*]*THE SMALL PRINT.{0,30000}?^[ \t*]*END[ \t*]*THE SMALL PRINT[^\r\n]*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
MOST_AFTER = 500
"""Characters after a small print that ends a book."""
BETWEEN = re.compile(
    END.pattern + rb".{0,60000}?^[ \t*]*" + START_OF, re.IGNORECASE | re.MULTILINE | re.DOTALL
)
"""The licence between two volumes in one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A book without its licence.

    Attributes:
        text: what remains.
        head_bytes, tail_bytes: how much was cut before and after it.
        start, end: the border lines, None if there were none.
    """

    text: bytes
    head_bytes: int
    tail_bytes: int
    start: str | None
    end: str | None

    def summary(self) -> dict[str, int | str | None]:
        """What was cut, without the text."""
        return {name: getattr(self, name) for name in ("head_bytes", "tail_bytes", "start", "end")}


def cut_license(content: bytes) -> Cut:
    """Keep the text between the border lines, without the blank lines around it."""
    volumes = list(BETWEEN.finditer(content))
    first, last = (volumes[0].start(), volumes[-1].end()) if volumes else (len(content), 0)
    end = END.search(content, max(last, len(content) - FOOTER_BYTES))
    end = end or _closing_small_print(content)
    finish = len(content) if end is None else end.start()
    # The last one: a small print may follow the "START OF" line.
    *_, start = (None, *START.finditer(content, 0, min(HEADER_BYTES, finish, first)))
    begin = 0 if start is None else start.end()
    credit = CREDITS.match(content, begin, finish) if start is not None else None
    begin = credit.end() if credit else begin
    while start is not None and content[begin : begin + 1] in (b"\r", b"\n"):
        begin += 1
    while end is not None and finish > begin and content[finish - 1 : finish] in (b"\r", b"\n"):
        finish -= 1
    return Cut(
        text=BETWEEN.sub(b"\n\n", content[begin:finish]),
        head_bytes=begin,
        tail_bytes=len(content) - finish,
        start=_line(start),
        end=_line(end),
    )


def _closing_small_print(content: bytes) -> re.Match[bytes] | None:
    """The small print, if it is at the end of the file instead of before the text."""
    *_, found = (None, *SMALL_PRINT.finditer(content, max(0, len(content) - FOOTER_BYTES)))
    if found and len(content[found.end() :].strip()) < min(MOST_AFTER, found.start()):
        return found
    return None


def _line(found: re.Match[bytes] | None) -> str | None:
    return None if found is None else " ".join(found[0].decode("utf-8", "replace").split())
