"""Encodings that write other scripts in ASCII bytes: ISO-2022, HZ, UTF-7.

Their bytes are valid ASCII too, so they are recognised by their escapes. Those of HZ (`~{`) and
UTF-7 (`+`) are ordinary characters in code: they count only if the whole text decodes, and UTF-7
only if what it encodes is text, or if the encoding is declared.
"""

import re
import unicodedata

from corpora.text.declared import declared_encoding
from corpora.text.detected import fits

ISO_2022_ESCAPES = (
    (re.compile(rb"\x1b\$\)C"), ("iso2022-kr",)),
    (re.compile(rb"\x1b\$[@B]|\x1b\$\([A-DOPQ]|\x1b\$A"), ("iso2022-jp-2", "iso2022-jp-2004")),
    (re.compile(rb"\x1b\$[)*+][AEGH-M]"), ("iso-2022-cn",)),
)
"""The escape to a character set of two bytes, and the encodings that have it; Python lacks one."""
JAPANESE = "iso2022-jp"
HZ = re.compile(rb"~\{(?:[!-}][!-~]){1,2000}+~\}")
"""A run of characters of two bytes, of which the second may be "~"; a line of prose has one."""
NOT_HZ = re.compile(rb"~(?![~{}\n])")
NOT_UTF7 = re.compile(rb"\+(?!-|[A-Za-z0-9+/]{3})")
UTF7_RUN = re.compile(rb"\+([A-Za-z0-9+/]{3,})-?")
BELOW_IDEOGRAPHS = 0x3100
LEAST_EVIDENCE = 6
"""An ideograph counts 1, as two of five random 16-bit numbers are one; other characters count 3."""


def seven_bit_encoding(content: bytes) -> str:
    """The encoding of ASCII bytes: "utf-8" if nothing in them is an escape.

    The bytes may still be damaged, or the encoding one that Python lacks ("iso-2022-cn").
    """
    if b"\x1b" in content and b"\x1b$" in content:
        for escape, encodings in ISO_2022_ESCAPES:
            if escape.search(content):
                fitting = (name for name in (JAPANESE, *encodings) if fits(content, name))
                return next(fitting, encodings[0])
    if b"~{" in content:
        outside, runs = HZ.subn(b"", content)
        if runs and not NOT_HZ.search(outside) and fits(content, "hz"):
            return "hz"
    return "utf-7" if b"+" in content and _is_utf7(content) else "utf-8"


def _is_utf7(content: bytes) -> bool:
    """Whether every "+" begins an escape, and what they encode is other than ASCII, and text."""
    if NOT_UTF7.search(content) or b"\\" in content or b"~" in content:
        return False
    runs = UTF7_RUN.findall(content)
    if not runs or not fits(content, "utf-7"):
        return False
    written = "".join((b"+" + run + b"-").decode("utf-7") for run in runs)
    if any((c.isascii() and c.isalnum()) or unicodedata.category(c) in NO_TEXT for c in written):
        return False
    evidence = sum(3 if ord(c) < BELOW_IDEOGRAPHS else 1 for c in written if not c.isascii())
    return evidence >= LEAST_EVIDENCE or (
        evidence > 0 and declared_encoding(content.replace(b"+-", b"+")) == "utf-7"
    )


NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
"""Control characters, unassigned ones, private ones, lone surrogates."""
