"""Read the licence in the comment with which a file begins, where the file has no tag.

A file is under the terms that it states itself, whatever the licence file of its repository says.
Only the comment is read: a licence text in a string belongs to what a program writes.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from corpora.licenses.recognise import license_names
from corpora.licenses.spdx import all_of, unreadable
from corpora.licenses.wording import plain

MAX_CHARACTERS = 8_000
BLOCKS = {
    "/*": "*/",
    "<!--": "-->",
    "(*": "*)",
    "{-": "-}",
    "{#": "#}",
    "--[[": "]]",
    "=begin": "=end",
    '"""': '"""',
    "'''": "'''",
}
"""How a comment of several lines, or a docstring, begins and ends."""
LINES = ("//", "#", "--", ";", "%", "*", "!", '"', "'", '.\\"', "dnl ", "rem ", "REM ", "<?")
"""How a line begins that is a comment, or may come before the first one."""
CODE = re.compile(r"#\s*(?:include|import|define)\b")
"""Lines of C that begin as comments of other languages do."""
GRANT = re.compile(
    r"licen[cs]|permission|redistribut|\bGPL|proprietary|confidential|com+ercial", re.I
)
"""Without one of these words a comment states no licence."""
FAMILIES = {
    "GPL": re.compile(r"\bGNU\b.{0,40}\bPublic\W+Licen|\b[AL]?GPL", re.I | re.S),
    "MPL": re.compile(r"\bMozilla\W+Public|\bMPL\b", re.I),
    "CDDL": re.compile(r"\bCDDL\b|Common\W+Development\W+and\W+Distribution", re.I),
    "EPL": re.compile(r"Eclipse\W+Public|\bEPL\b", re.I),
    "CC-BY": re.compile(r"Creative\W+Commons\W+Attribution|\bCC[- ]BY", re.I),
}
"""Licences with conditions on copies, by a part of their SPDX names."""
CHOICE = re.compile(
    r"\balternatively\b|\bchoice\W+of\b|\bdual\W+licen|\byou\W+may\W+(?:choose|select)\b", re.I
)
"""Of the licences that a comment names one may be chosen, so the one that was found is enough."""
LIMIT = re.compile(
    r"(?<!\bor\s)non\W?com+ercial|\b(?:for|in)\W+research\b|\bacademic\W+(?:use|purpos|research)"
    r"|\beducational\W+(?:use|purpos)|\bevaluation\W+(?:use|purpos|only)|\bpurposes?\W+only\b"
    r"|\b(?:internal|personal)\W+use\b|\bproprietary\b(?!\W+rights)|\bconfidential\b"
    r"|\btrade\W+secret|\bunpublished\W|commons\W+clause|\bno\W+part\W+of\W+this\b|\bnot\W+evil\b"
    r"|\bmay\W+not\W+be\W+(?:copied|sold|distributed|redistributed|reproduced)",
    re.I,
)
"""Limits on the use, or terms that give nothing."""
START = re.compile(
    r"permission|redistribut|licen[cs]|free\W+software|\bterms\b|public\W+domain|available\W+to\W+you",
    re.I,
)
"""What the first line of a licence contains. Before it come names and a description, in every file
others; without them the comments of many files are the same, and are compared once."""


def header_license(text: str, of_source: str | None) -> str | None:
    """The licence that the first comment of a file states, None if it states none.

    A comment that limits the use, or that names a licence with conditions without its notice in a
    known wording, is returned as `unreadable` marks it.

    Args:
        of_source: the licence of the source; a comment may refer to it by its name.
    """
    names: set[str] = set()
    for comment in first_comments(text):
        if GRANT.search(comment) is None:
            continue
        said = plain(comment)
        limit = LIMIT.search(said)
        if limit is not None:
            return unreadable(said[limit.start() : limit.end() + 40])
        found = _names(_terms(comment))
        names |= found
        family, words = _unmatched_family(said, found)
        if family and not (found and CHOICE.search(said)):
            if of_source is None or family not in of_source:
                return unreadable(words)
            names.add(of_source)
    return all_of(sorted(names)) if names else None


def first_comments(text: str) -> Iterator[str]:
    """The comments before the first line of code, in the first MAX_CHARACTERS."""
    lines: list[str] = []
    closer = ""
    for line in text[:MAX_CHARACTERS].removeprefix("\ufeff").split("\n"):
        stripped = line.strip()
        if not closer:
            opener = next((begin for begin in BLOCKS if stripped.startswith(begin)), None)
            if opener is not None:
                closer, stripped = BLOCKS[opener], stripped[len(opener) :]
            elif stripped and (not stripped.startswith(LINES) or CODE.match(stripped)):
                break
        lines.append(line)
        if closer and closer in stripped:
            yield "\n".join(lines)
            lines, closer = [], ""
    yield "\n".join(lines)


def _unmatched_family(said: str, found: frozenset[str]) -> tuple[str, str]:
    """A family that is named but not among the licences found, and the words; "" if none is."""
    for family, pattern in FAMILIES.items():
        named = pattern.search(said)
        if named is not None and not any(family in name for name in found):
            return family, said[named.start() : named.end() + 40]
    return "", ""


def _terms(comment: str) -> str:
    """The comment without its markers, from the line before the first licence word on."""
    begin = START.search(comment)
    place = 0 if begin is None else begin.start()
    before = comment.rfind("\n", 0, comment.rfind("\n", 0, place) + 1)
    return plain(comment[max(before, 0) :])


@lru_cache(maxsize=1024)
def _names(terms: str) -> frozenset[str]:
    return frozenset(license_names(terms))
