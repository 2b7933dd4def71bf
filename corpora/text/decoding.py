"""Bytes to text: one decision per file, recorded, nothing silently replaced.

What a byte order mark says, then UTF-8, then UTF-16 without a mark, then the guess of chardetng
(Firefox's detector). UTF-8 that is damaged somewhere is refused, not guessed at: as another
encoding all of it would turn into wrong letters. Line ends become LF; a byte order mark is not
part of the text.
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
"""Where Python knows an encoding of the WHATWG's standard under another name, or a narrower one."""
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
INVALID = re.compile("[\udc80-\udcff]")
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffe\uffff]")
ASCII = re.compile(r"[\t-\r -~]+")
LEAST_ASCII = 0.5
"""Share of ASCII from which bytes with NULs may be UTF-16: half of such a text's bytes are NUL."""


class UndecodableError(ValueError):
    """Bytes that are no text.

    Attributes:
        reason: for the ledger, "binary" or "encoding".
        detail: where, or by what.
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
    """Read `content` as text.

    Raises:
        UndecodableError: it is binary, or no encoding fits.
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
    """Which byte order makes plain text of bytes with NULs among them."""
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
    """Whether at least as many characters outside ASCII are whole UTF-8 as there are stray bytes.

    In another encoding whole ones are rare accidents. Surrogates count as whole: only a program
    that writes UTF-8 by rules of its own (CESU-8, Java's) puts such bytes in a row.
    """
    text = SURROGATE.sub("\u00e9".encode(), content).decode("utf-8", "surrogateescape")
    outside = len(text) - len(text.encode("ascii", "ignore"))
    return outside >= 2 * len(INVALID.findall(text))
