"""Decode bytes: one recorded decision per file, nothing silently replaced.

A byte order mark decides first, then UTF-8, then UTF-16 without a mark, then the guess of chardetng
(Firefox's detector). Damaged UTF-8 is refused, not guessed: any other encoding would turn all of it
into wrong letters. Line ends become LF; a byte order mark is not part of the text.
"""

import codecs
import re
from dataclasses import dataclass

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PYTHON_NAMES = {
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""WHATWG encodings that Python has under another name, or whose Python namesake is narrower."""
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
INVALID = re.compile("[\udc80-\udcff]")
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
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError("encoding", f"not {encoding} at byte {error.start}") from None
    if "\0" in text:
        raise UndecodableError("binary", f"NUL at character {text.index(chr(0))}")
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding)


def _encoding(content: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return _utf16_without_mark(content)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_damaged_utf8(content):
            raise UndecodableError("encoding", f"not utf-8 at byte {error.start}") from None
        from chardetng_py import detect

        name = detect(content, allow_utf8=False).lower()
        return PYTHON_NAMES.get(name, name)
    return "utf-8"


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


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether non-ASCII characters in valid UTF-8 are at least as many as stray bytes.

    In another encoding valid ones are rare accidents. Surrogates count as valid: only programs that
    write a variant of UTF-8 (CESU-8, Java's) produce such byte sequences.
    """
    text = SURROGATE.sub("\u00e9".encode(), content).decode("utf-8", "surrogateescape")
    outside = len(text) - len(text.encode("ascii", "ignore"))
    return outside >= 2 * len(INVALID.findall(text))
