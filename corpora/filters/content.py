"""Rules that drop a file by what it holds, each with the reason and detail for the ledger.

The defaults leave out what teaches a model of code nothing: lines no person writes, tables of
numbers, output of generators; and what must not be learned by heart: secrets.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
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
SECRET = "secret"  # noqa: S105 - a reason, no password
VENDORED = "vendored"
REASONS = (VENDORED, LONG_LINES, TABLE, GENERATED, LICENSE, SECRET)
"""In the order of asking; the first needs the path alone."""
TABLE_BYTES = 1_000
"""A shorter text may be all numbers: a small test, a version file."""
LETTERS = string.ascii_letters.encode() + bytes(range(0x80, 0x100))
HEXADECIMAL = re.compile(rb"0[xX][0-9A-Fa-f]+")
BLANKS = string.whitespace.encode()


class TextRules(BaseModel):
    """Which texts are left out.

    Attributes:
        max_line: characters of the longest line; 0 for no limit. Of 49,653 files of Linux, the
            JDK, Torch, scalaz and Python 29 have a line above 2,000, all of them message tables.
            Switch both limits off for prose with a paragraph a line, and for comments.
        max_mean_line: characters a line on average; 0 for no limit. Finds small minified files.
        min_letters: share of letters among what is not blank; below it a text is a table of
            numbers; 0 for no limit. Characters outside ASCII count as letters, the digits of
            hexadecimal numbers do not.
        generated: leave out what a program wrote.
        linguist: ask GitHub's linguist too (needs `enry-python`) whether a file is generated or
            vendored.
        vendored: whether copies of other projects, told by their path, stay with a label.
        secrets: leave out files with a token or a private key.
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
        """The first rule on content that drops this file: (reason, detail); None if it may stay."""
        content = Content(path=path, text=text, license=license_)
        for reason, rule in RULES.items():
            detail = rule(self, content)
            if detail is not None:
                return reason, detail
        return None

    def path_drop(self, path: str) -> tuple[str, str] | None:
        """Like `first_drop`, by the path alone: before the content is read."""
        return (VENDORED, "") if self.vendored == "drop" and self.is_vendored(path) else None

    def is_vendored(self, path: str) -> bool:
        """Whether a file counts as copied in from elsewhere: the label."""
        return is_vendored(path) or (self.linguist and _linguist().is_vendor(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the rules look at."""

    path: str
    text: str
    license: str | None


def _long_lines(rules: TextRules, content: Content) -> str | None:
    lines = content.text.split("\n")
    longest = max(map(len, lines))
    mean = len(content.text) // len(lines)
    if rules.max_line and longest > rules.max_line:
        return f"a line of {longest} characters"
    if rules.max_mean_line and mean > rules.max_mean_line:
        return f"{mean} characters a line"
    return None


def _table(rules: TextRules, content: Content) -> str | None:
    encoded = content.text.encode() if rules.min_letters else b""
    filled = len(encoded.translate(None, BLANKS))
    if filled < TABLE_BYTES:
        return None
    written = HEXADECIMAL.sub(b"", encoded)
    letters = len(written) - len(written.translate(None, LETTERS))
    share = letters / filled
    return f"{share:.0%} letters" if share < rules.min_letters else None


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
            "machine or is not installed; set it to false, the rules that ship go on working"
        ) from error
