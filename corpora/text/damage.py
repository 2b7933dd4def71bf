"""Recognise damaged text in an encoding of several bytes a character.

Detectors rule out an encoding at the first byte that does not fit it, and end at windows-1252, in
which nearly everything fits. So the bytes that do not fit are taken out, and the detector is asked
about the rest.
"""

import re

from corpora.text.detected import EAST_ASIAN, detected_encoding, fits

FALLBACK = "windows-1252"
"""What the detector answers when nothing else fits."""
LATIN = (
    *("iso-8859-2", "iso-8859-4", "iso-8859-13", "windows-1250", FALLBACK),
    *("windows-1254", "windows-1257", "windows-1258"),
)
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Valid here: only programs that write a variant of UTF-8 (CESU-8, Java's) produce such bytes."""
STRAY = re.compile("[\udc80-\udcff]")
LATIN_TEXT = re.compile("[\u00a0-\u024f\u2010-\u20cf]")
"""Latin letters, quotes, dashes. In a Latin encoding they are pairs that nobody writes; others are
not: "\u00df\u00bb", a letter before a closing quote, is valid UTF-8 of a rare script."""
PAIRS = re.compile(rb"[\x80-\xff]{2,}")
LEAST_PAIRED = 1 / 3
ASCII = bytes(range(0x80))
REPLACEMENT = "\ufffd"
MOST_ERRORS = 0.2
"""Errors for each character outside ASCII, above which it is not that encoding."""
UTF8_SHARE = 8
"""A text in Latin letters is damaged UTF-8 from one valid character for this many stray bytes."""


def damaged_encoding(content: bytes) -> str | None:
    """The encoding in which `content` was written, although not all of it fits.

    None if it fits the guess of the detector, or nothing shows what it was.
    """
    text = SURROGATE.sub("\u00e9".encode(), content).decode("utf-8", "surrogateescape")
    outside = len(text) - len(text.encode("ascii", "ignore"))
    stray = len(STRAY.findall(text))
    if outside >= 2 * stray:
        return "utf-8"
    guess = detected_encoding(content)
    if guess in EAST_ASIAN:
        return None if fits(content, guess) else _nearest(content) or guess
    if guess == FALLBACK and _is_paired(content):
        nearest = _nearest(content)
        if nearest:
            return nearest
    is_mixed = guess in LATIN and UTF8_SHARE * len(LATIN_TEXT.findall(text)) >= stray
    return "utf-8" if is_mixed else None


def _is_paired(content: bytes) -> bool:
    """Whether many bytes outside ASCII follow one another, as in no language in Latin letters."""
    high = len(content.translate(None, ASCII))
    return LEAST_PAIRED * high < sum(map(len, PAIRS.findall(content)))


def _nearest(content: bytes) -> str | None:
    """The East Asian encoding with the fewest errors that the detector finds without them."""
    readings: list[tuple[float, str, str]] = []
    for encoding in EAST_ASIAN:
        text = content.decode(encoding, "replace")
        readable = text.replace(REPLACEMENT, "")
        outside = len(readable) - len(readable.encode("ascii", "ignore"))
        readings.append(((len(text) - len(readable)) / max(1, outside), encoding, readable))
    for share, encoding, text in sorted(readings):
        rest = text.encode(encoding, "ignore")
        if share <= MOST_ERRORS and detected_encoding(rest) == encoding:
            return encoding
    return None
