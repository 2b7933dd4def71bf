"""Decode bytes: one recorded decision per file, nothing silently replaced.

A byte order mark decides first, then valid UTF-8 (or an encoding that writes all in ASCII), then
UTF-16 without a mark, then the encoding that the text declares, then the guess of chardetng
(Firefox's detector). Damaged UTF-8 and damaged East Asian text are refused, not guessed: any other
encoding would turn all of it into wrong letters. Line ends become LF; a byte order mark is not part
of the text.
"""

import codecs
import re
from dataclasses import dataclass

from corpora.text.damage import damaged_encoding
from corpora.text.declared import declared_encoding
from corpora.text.detected import EAST_ASIAN, detected_encoding, fits
from corpora.text.seven_bit import seven_bit_encoding

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MARK = "\ufeff"
"""Python leaves it in GB18030 and UTF-7, and the second of two in UTF-8."""
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffe\uffff]")
ASCII = re.compile(r"[\t-\r -~]+")
LEAST_ASCII = 0.5
"""Share of ASCII characters at which bytes with NULs may be UTF-16, a format half NUL for ASCII."""


class UndecodableError(ValueError):
    """Bytes that are not text.

    Attributes:
        reason: for the ledger, "binary" or "encoding".
        detail: where, for the ledger.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and the encoding it was read with."""

    text: str
    encoding: str


def decode(content: bytes) -> Decoded:
    """Decode `content`.

    Raises:
        UndecodableError: if it is binary, or no encoding fits.
    """
    encoding = _encoding(content)
    text = _decoded(content, encoding).removeprefix(MARK)
    if "\0" in text:
        raise UndecodableError("binary", f"NUL at character {text.index(chr(0))}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(text, encoding)


def _encoding(content: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return _utf16_without_mark(content)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _without_utf8(content)
    return seven_bit_encoding(content) if content.isascii() else "utf-8"


def _without_utf8(content: bytes) -> str:
    """The encoding of bytes that are not valid UTF-8: the declared one, else the guessed one.

    A declared encoding that uses one byte a character and does not fit is taken for a mistake of
    the writer. One of several bytes that does not fit is damaged.
    """
    declared = declared_encoding(content)
    if declared in ("utf-8", *EAST_ASIAN) or (declared and fits(content, declared)):
        return declared
    return damaged_encoding(content) or detected_encoding(content)


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError:
        raise UndecodableError("encoding", f"{encoding} cannot be read") from None
    except UnicodeDecodeError as error:
        raise UndecodableError("encoding", f"not {encoding} at byte {error.start}") from None


def _utf16_without_mark(content: bytes) -> str:
    """The byte order in which bytes with NULs are plain text."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        ascii_ = sum(len(run) for run in ASCII.findall(text))
        if ascii_ >= LEAST_ASCII * len(text) and not NO_TEXT.search(text):
            return encoding
    raise UndecodableError("binary", f"NUL at byte {content.index(0)}")
