"""Read the licence in the comment with which a file begins, where the file has no tag.

A file is under the terms that it states itself, whatever the licence file of its repository says.
Only the comment is read: a licence text in a string belongs to what a program writes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
    r"licen[cs]|permission|redistribut|\b[AL]?GPL|\bCC[- ]BY|\bEUPL|\bMS-[PR]L|proprietary"
    r"|confidential|com+ercial|\bprohibited|\bunauthori[sz]ed|\bnot\W+distribute|\bfree\W+for\W+personal",
    re.I,
)
"""Without one of these words a comment states no licence."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A pattern, any case, and words in lower case: every match contains one of them.

    Such a pattern takes 20 microseconds a kilobyte, a word less than one.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]

    def search(self, text: str, lower: str) -> re.Match[str] | None:
        """The first match in `text`, whose lower case is `lower`."""
        # Outside ASCII other letters are equal to some of ASCII, but for their case.
        is_possible = not text.isascii() or any(word in lower for word in self.words)
        return self.pattern.search(text) if is_possible else None


def _phrase(words: str, pattern: str) -> Phrase:
    return Phrase(tuple(words.split()), re.compile(pattern, re.I | re.S))


FAMILIES = {
    "GPL": _phrase("gnu gpl", r"\bGNU\b.{0,40}\bPublic\W+Licen|\b[AL]?GPL"),
    "MPL": _phrase("mozilla mpl", r"\bMozilla\W+Public|\bMPL\b"),
    "CDDL": _phrase("cddl common", r"\bCDDL\b|Common\W+Development\W+and\W+Distribution"),
    "EPL": _phrase("eclipse epl", r"Eclipse\W+Public|\bEPL\b"),
    "EUPL": _phrase("eupl european", r"\bEUPL\b|European\W+Union\W+Public\W+Licen"),
    "OSL": _phrase("osl open", r"\bOSL[- ]\d|\bOpen\W+Software\W+Licen"),
    "MS-": _phrase("ms- microsoft", r"\bMS-[PR]L\b|Microsoft\W+(?:Public|Reciprocal)\W+Licen"),
    "CECILL": _phrase("cecill", r"\bCeCILL\b"),
    "CPAL": _phrase("cpal common", r"\bCPAL\b|Common\W+Public\W+Attribution"),
    "SSPL": _phrase("sspl server", r"\bSSPL\b|Server\W+Side\W+Public\W+Licen"),
    "BUSL": _phrase("busl business", r"\bBUSL\b|Business\W+Source\W+Licen"),
    "Elastic": _phrase("elastic", r"\bElastic\W+Licen"),
    "CC-BY": _phrase("creative cc", r"Creative\W+Commons\W+Attribution|\bCC[- ]BY"),
}
"""Licences with conditions on copies, by a part of their SPDX names."""
CHOICE = re.compile(
    r"\balternatively\b|\bchoice\W+of\b|\bdual\W+licen|\byou\W+may\W+(?:choose|select)\b", re.I
)
"""Of the licences that a comment names one may be chosen, so the one that was found is enough."""
LIMITS = (
    _phrase("ercial", r"(?<!\bor\s)non\W?com+ercial"),
    _phrase("research", r"\b(?:for|in)\W+research\b"),
    _phrase("academic", r"\bacademic\W+(?:use|purpos|research)"),
    _phrase("educational", r"\beducational\W+(?:use|purpos)"),
    _phrase("evaluation", r"\bevaluation\W+(?:use|purpos|only)"),
    _phrase("only", r"\bpurposes?\W+only\b"),
    _phrase("internal personal", r"\b(?:internal|personal)\W+use\b"),
    _phrase("proprietary", r"\bproprietary\b(?!\W+rights)"),
    _phrase("confidential", r"\bconfidential\b"),
    _phrase("secret", r"\btrade\W+secret"),
    _phrase("unpublished", r"\bunpublished\W"),
    _phrase("commons", r"commons\W+clause"),
    _phrase("part", r"\bno\W+part\W+of\W+this\b"),
    _phrase("evil", r"\bnot\W+evil\b"),
    _phrase(
        "prohibited",
        r"\b(?:copying|reproduction|redistribution|disclosure|duplication)\b.{0,120}?\bprohibited",
    ),
    _phrase("authori", r"\bunauthori[sz]ed\W+(?:copying|reproduction|distribution)"),
    _phrase("is", r"\b(?:copying|(?:re)?distribution)\W+is\W+not\W+(?:permitted|allowed)"),
    _phrase("not", r"\b(?:do|may)\W+not\W+(?:re)?distribute\b"),
    _phrase("polyform hippocratic", r"\b(?:polyform|hippocratic)\W"),
    _phrase("sustainable", r"\bsustainable\W+use\W"),
    _phrase("may", r"\bmay\W+not\W+be\W+(?:copied|sold|distributed|redistributed|reproduced)"),
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
        limit = _limit(said)
        if limit:
            return unreadable(limit)
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


def _limit(said: str) -> str:
    """The first limit, with what follows it; "" if there is none."""
    lower = said.lower()
    found = filter(None, (phrase.search(said, lower) for phrase in LIMITS))
    first = min(found, key=lambda match: match.start(), default=None)
    return said[first.start() : first.end() + 40] if first else ""


def _unmatched_family(said: str, found: frozenset[str]) -> tuple[str, str]:
    """A family that is named but not among the licences found, and the words; "" if none is."""
    lower = said.lower()
    for family, phrase in FAMILIES.items():
        named = phrase.search(said, lower)
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
