"""Rules that drop a file by its content, each with a reason and a detail for the ledger.

The defaults drop what teaches a model of code nothing (lines no person writes, tables of numbers,
generated code) and what it must not memorise (secrets).
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from corpora.errors import SpecError
from corpora.filters.generated import generated_by, is_vendored
from corpora.filters.secrets import secret_kind
from corpora.licenses.spdx import LicensePolicy

LONG_LINES = "long lines"
TABLE = "table"
GENERATED = "generated"
LICENSE = "licence"
SECRET = "secret"  # noqa: S105 - a reason, not a password
VENDORED = "vendored"
REASONS = (VENDORED, LONG_LINES, TABLE, GENERATED, LICENSE, SECRET)
"""In the order of application; the first needs only the path."""
SETTINGS = {
    VENDORED: "vendored",
    LONG_LINES: "max_line and max_mean_line",
    TABLE: "min_letters",
    GENERATED: "generated",
    LICENSE: "license",
    SECRET: "secrets",
}
"""The fields of TextRules that each reason comes from."""
TABLE_BYTES = 1_000
"""A shorter text may be all numbers: a small test, a version file."""
LETTERS = string.ascii_letters.encode() + bytes(range(0x80, 0x100))
HEXADECIMAL = re.compile(rb"0[xX][0-9A-Fa-f]+")
PLAIN_LETTERS = bytes(set(LETTERS) - set(b"abcdefxABCDEFX"))
"""The letters that no hexadecimal number contains."""
BLANKS = string.whitespace.encode()
NEWLINE = "\n"


class TextRules(BaseModel):
    """Which texts are dropped.

    Attributes:
        max_line: characters of the longest line; 0 for no limit. Of 49,653 files of Linux, the
            JDK, Torch, scalaz and Python 29 have a line above 2,000, all of them message tables.
            A dataset of prose has no limits unless it sets them.
        max_mean_line: mean characters per line; 0 for no limit. Finds small minified files.
        min_letters: share of letters among non-blank bytes; a text below it is a table of numbers;
            0 for no limit. Bytes outside ASCII count as letters, the digits of hexadecimal
            numbers do not.
        generated: drop generated files.
        linguist: also drop or label what GitHub's linguist (needs `enry-python`) considers
            generated or vendored.
        vendored: keep copies of other projects, recognised by path, with a label, or drop them.
        secrets: drop files with a token or a private key.
        license: which licences are kept; all by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_line: int = Field(default=2_000, ge=0)
    max_mean_line: int = Field(default=200, ge=0)
    min_letters: float = Field(default=0.2, ge=0, lt=1)
    generated: bool = True
    linguist: bool = False
    vendored: Literal["label", "drop"] = "label"
    secrets: bool = True
    license: LicensePolicy = LicensePolicy()

    def first_drop(self, path: str, text: str, license_: str | None) -> tuple[str, str] | None:
        """The first rule on content that drops this file: (reason, detail); None if none does."""
        content = Content(path=path, text=text, license=license_)
        for reason, rule in RULES.items():
            detail = rule(self, content)
            if detail is not None:
                return reason, detail
        return None

    def path_drop(self, path: str) -> tuple[str, str] | None:
        """Like `first_drop`, but by the path alone, before the content is read."""
        return (VENDORED, "") if self.vendored == "drop" and self.is_vendored(path) else None

    def is_vendored(self, path: str) -> bool:
        """Whether a file counts as copied from another project."""
        return is_vendored(path) or (self.linguist and _linguist().is_vendor(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the rules examine."""

    path: str
    text: str
    license: str | None


def _long_lines(rules: TextRules, content: Content) -> str | None:
    text = content.text
    if rules.max_line and _has_line_above(rules.max_line, text):
        return f"a line of {max(map(len, text.split(NEWLINE)))} characters"
    mean = len(text) // (text.count(NEWLINE) + 1)
    if rules.max_mean_line and mean > rules.max_mean_line:
        return f"{mean} characters a line"
    return None


def _has_line_above(limit: int, text: str) -> bool:
    """Whether a line is longer, from one of the last line ends in reach to the next."""
    begin = 0
    while len(text) - begin > limit:
        end = text.rfind(NEWLINE, begin, begin + limit + 1)
        if end < 0:
            return True
        begin = end + 1
    return False


def _table(rules: TextRules, content: Content) -> str | None:
    if not rules.min_letters:
        return None
    encoded = content.text.encode()
    if _count(encoded, PLAIN_LETTERS) >= rules.min_letters * len(encoded):
        return None  # nearly every text
    filled = len(encoded) - _count(encoded, BLANKS)
    if filled < TABLE_BYTES:
        return None
    share = _count(HEXADECIMAL.sub(b"", encoded), LETTERS) / filled
    return f"{share:.0%} letters" if share < rules.min_letters else None


def _count(content: bytes, wanted: bytes) -> int:
    """How many bytes are among the wanted ones; `translate` to nothing would take seven times."""
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(content.translate(_marked(wanted)), np.bool_)))


@cache
def _marked(wanted: bytes) -> bytes:
    """A table of all bytes, 1 for the wanted ones."""
    return bytes(byte in wanted for byte in range(256))


def _generated(rules: TextRules, content: Content) -> str | None:
    if not rules.generated:
        return None
    shown_by = generated_by(content.path, content.text)
    if shown_by is not None or not rules.linguist:
        return shown_by
    asked = _linguist().is_generated(content.path, content.text.encode())
    return "says linguist" if asked else None


def _license(rules: TextRules, content: Content) -> str | None:
    return rules.license.drops(content.license)


def _secret(rules: TextRules, content: Content) -> str | None:
    return secret_kind(content.text) if rules.secrets else None


RULES: dict[str, Callable[[TextRules, Content], str | None]] = {
    LONG_LINES: _long_lines,
    TABLE: _table,
    GENERATED: _generated,
    LICENSE: _license,
    SECRET: _secret,
}


def _linguist() -> ModuleType:
    try:
        return import_module("enry")
    except ImportError as error:
        raise SpecError(
            "corpus.text.linguist: needs the package enry-python, which has no build for this "
            "machine or is not installed; set it to false; the built-in rules still apply"
        ) from error
