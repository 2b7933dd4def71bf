"""Bytes to text: one decision per file, recorded, nothing silently replaced.

UTF-8 first, then what a byte order mark says, then binary if there is a NUL, then the guess of
chardetng (Firefox's detector). Line ends become LF; a byte order mark is not part of the text.
"""

import codecs
from dataclasses import dataclass

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UndecodableError(ValueError):
    """Bytes that are no text; the message is the reason for the ledger."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and the encoding it was read with."""

    text: str
    encoding: str


def decode(content: bytes) -> Decoded:
    """Read `content` as text.

    Raises:
        UndecodableError: "binary" or "encoding".
    """
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise UndecodableError("encoding") from None
    if "\0" in text:
        raise UndecodableError("binary")
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding)


def _encoding(content: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        raise UndecodableError("binary")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        from chardetng_py import detect

        return detect(content, allow_utf8=False).lower()
    return "utf-8"
