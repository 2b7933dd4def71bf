"""Recognise licences by comparing whole texts with those of the SPDX list.

`licenseclassifier` compares word by word: a text with a word too many, such as "for non-commercial
use", is not the licence it resembles. What a file says besides licence texts is examined as well:
words that may bind the reader make the licence unknown, other words are a note for the reader. A
file may contain several licences, and a repository several files. They are joined by AND, the
strict reading, even where one may choose among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from corpora.licenses.spdx import UNREADABLE, all_of, normal_license
from corpora.licenses.tags import stated_license
from corpora.licenses.wording import GUIDE, binding_words, limiting_words, quoted, telling_words

LATER = "the text does not say whether later versions are allowed; 'only' holds in either case"
COPYRIGHT = re.compile(r"copyright|\(c\)|\u00a9|&copy;?", re.IGNORECASE)

SHORT_LICENSE = 3000
"""Characters. The short licences have gaps for names in which the library takes any word, and none
of them limits the use in its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseText:
    """What a text contains.

    Attributes:
        names: SPDX names of the licences whose whole text, or notice in a standard wording, it has.
        rest: what else it says.
        binding: the sentence of the rest that may bind the reader, "" if none.
    """

    names: frozenset[str]
    rest: str
    binding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseFinding:
    """The licence according to licence files.

    Attributes:
        expression: SPDX expression, None if no file was recognised, or if one may add conditions.
        note: what the reader must know about it; "" if nothing.
        is_barred: whether a file has words that may bind and are not understood, so that no
            other statement about the same files may be believed.
        rest: what the files say besides licence texts.
    """

    expression: str | None
    note: str
    is_barred: bool
    rest: str


def repository_license(texts: Mapping[str, str]) -> LicenseFinding:
    """Recognise the licence of a repository from its licence files, given as text by path."""
    expressions: set[str] = set()
    notes, rests, barred = [], [], False
    for path, text in sorted(texts.items()):
        stated = stated_license(text)
        found = read_license(text)
        names = found.names if stated is None else found.names | {stated}
        rests.append(found.rest)
        if found.binding or (stated or "").startswith(UNREADABLE):
            barred = True
            notes.append(f"{path} not recognised: {quoted(found.binding or stated or '')}")
        elif not names:
            notes.append(f"{path} not recognised: {quoted(found.rest)}")
        else:
            expressions |= names
            shown = telling_words(found.rest)
            notes += [f"{path} also says: {shown}"] if shown else []
    if "LGPL-3.0-only" in expressions or "LGPL-3.0-or-later" in expressions:
        expressions -= {"GPL-3.0-only", "GPL-3.0-or-later"}  # LGPL 3 comes with that text
    notes += [LATER] if any(name.endswith("-only") for name in expressions) and not barred else []
    expression = None if barred or not expressions else all_of(sorted(expressions))
    return LicenseFinding(
        expression=expression, note="; ".join(notes), is_barred=barred, rest="\n".join(rests)
    )


def read_license(text: str) -> LicenseText:
    """Find the licences whose text is in `text`, and what else it says."""
    from licenseclassifier import identify_license

    with_gaps = [guide[0] for guide in GUIDE.finditer(text)]
    text = GUIDE.sub("\n", text)
    names, rest, heads, end = set(), [], [], 0
    for match in identify_license(text, 0):
        name = normal_license(match.id)
        if name is None or text.startswith("http", match.start):
            continue  # an address only mentions a licence
        begin = _true_start(text, match.start, match.end, match.id)
        names.add(name)
        rest.append(text[end : match.start])
        heads.append(text[match.start : begin])
        end = match.end
        if end - begin < SHORT_LICENSE:
            with_gaps.append(text[begin:end])
    rest.append(text[end:])
    joined = "\n".join(part.strip("\n") for part in rest if part.strip())
    binding = binding_words(joined) or binding_words("\n".join(heads))
    binding = binding or "".join(filter(None, map(limiting_words, with_gaps)))
    return LicenseText(names=frozenset(_without_plain(names)), rest=joined, binding=binding)


def license_names(text: str) -> set[str]:
    """The SPDX names of the licences whose text or notice is somewhere in `text`."""
    from licenseclassifier import identify_license

    found = {
        normal_license(match.id)
        for match in identify_license(text, 0)
        if not text.startswith("http", match.start)
    }
    return _without_plain({name for name in found if name is not None})


def _without_plain(names: set[str]) -> set[str]:
    """The names without "X-only", the name of a bare text, where a notice says "X-or-later"."""
    return names - {
        name for name in names if f"{name.removesuffix('-only')}-or-later" in names - {name}
    }


def _true_start(text: str, start: int, end: int, name: str) -> int:
    """Where a licence text begins within its match, after the notices that the library includes.

    It includes up to 50 words from a "copyright" on, whatever they say. Hiding that word shows
    where the match begins without it.
    """
    from licenseclassifier import identify_license

    masked, begin = text[start:end], start
    for word in COPYRIGHT.finditer(text, start, end):
        if word.start() > begin:
            break
        place = word.start() - start
        masked = masked[:place] + "x" * len(word[0]) + masked[place + len(word[0]) :]
        same = [found for found in identify_license(masked, 0) if found.id == name]
        if not same:
            break
        begin = start + same[0].start
    return begin
