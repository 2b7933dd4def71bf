"""Recognise licences by comparing whole texts with those of the SPDX list.

`licenseclassifier` compares word by word: a text with a word too many, such as "for non-commercial
use", is not the licence it resembles. What a file says besides licence texts is examined here. Words
that may bind the reader make the licence unknown; other words are a note for the reader. A file may
contain several licences, and a repository several files. They are joined by AND, the strict
reading, even where one may choose among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from corpora.licenses.spdx import UNREADABLE, all_of, normal_license
from corpora.licenses.tags import stated_license

LATER = "the text does not say whether later versions are allowed; 'only' holds in either case"
MAX_QUOTED = 200
COPYRIGHT = re.compile(r"copyright|\(c\)|\u00a9|&copy;?", re.IGNORECASE)

GUIDE = re.compile(
    r"""
    how \W to \W+ apply \W+ these \W+ terms \W+ to \W+ your \W+ new \W+ (?:programs|libraries) \b
    .{500,3500}?
    (?: that's \W+ all \W+ there \W+ is \W+ to \W+ it!
      | why-not-lgpl\.html>?\.?
      | lesser \W+ general \W+ public \W+ license \W+ instead \W+ of \W+ this \W+ license\.
        (?! \W+ but \W+ first )
      | gnu \W+ agpl, \W+ see \W+ <https?://www\.gnu\.org/licenses/>\. )
    | appendix: \W+ how \W+ to \W+ apply \W+ the \W+ apache \W+ license \W+ to \W+ your \W+ work
    .{400,1600}? \W limitations \W+ under \W+ the \W+ license\.
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""The appendix of a licence text on how to use it, with an example that grants nothing."""

BINDING = re.compile(
    r"""
    \b(?: must | shall | cannot | can't | never | evil | forb\w+ | prohibit\w* | agree\w* | consent
      | may \s (?:\w+ly \s)? (?:not|be \s (?:us|sold|copied|modif|distrib|redistrib)\w*)
      | (?:not|don't) \s (?:\w+ \s){0,2}? (?: us(?:e|ed|ing) | sold | sell | allowed | granted
          | (?:re)?distributed? | copy | copied | modify | modified ) | not \s for
      | no \s (?:\w+ \s)? (?: rights? | part | one | use | licen[cs]e | warrant\w+ \s if )
      | only \s (?: for | be | if | in | with | as | to | when | by | on | within | under | non\w*)
      | (?: us(?:e|es|age|ed|ers?) | purposes? | basis | projects? | persons? ) \s only
      | permit\w* | permissions? | granted | grants? \s (?:you|no|the|an?|to|perm\w+|licen\w+) | licens(?:ee|or)s? | conditions? | conditional\w*
      | restrict(?:s|ed|ing|ive) | limited \s (?:to|by) | exclusive\w* | proprietary | confidential\w*
      | (?:additional|following|further|these|other|no) \s restrictions? | restrictions? \s* (?:are|:)
      | provided \s that | (?:as|so) \s long \s as | requires? \s (?:that|you) | required \s to
      | requirements? | end[ -]users? | eula | subscri\w+ | trade \s secrets? | unpublished
      | internal \s (?:use|business|purpos\w*) | fees? | royalt\w+ | pay | paid | payments?
      | purchase\w* | (?<!non-)profits? | (?:re)?sell(?:ing)? | sold | sale | charged? | revenue
      | academic\w* | education\w* | teaching | students? | scientific \s (?:use|purpos\w*)
      | for \s research | research \s (?: and | or | use | purpos\w+ ) | personal \s \w* \s? (?:use|purpos\w*)
      | private \s use | evaluation | trial | military | weapons? | war | ethic\w* | harm(?:ful|s|ing)?
      | human \s rights | terminat\w+ | revo[ck]\w+ | expir\w+ | competi(?:ng|tors?|tive)
      | machine \s learning | (?:ai|model) \s training | train \s
    )\b
    | com+er[cz] | kommerz | gewerb | \bnur\b | \binterdi[tc] | \buniquement\b | \bs[o\u00f3]lo\b
    | [\u0400-\u04ff\u0590-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words that may add a condition or take a permission away, in what is not the licence itself. The
last line: scripts in which none of the others can be found."""
LIMITED_USE = re.compile(
    r"non\W?com+er[cz]|\b(?:for|in)\s+research|\b(?:research|internal|personal|private)\s+use"
    r"|academic|education|military|evaluation|\b(?:use|purposes?|basis)\s+only\b",
    re.IGNORECASE,
)
SHORT_LICENSE = 5000
"""Characters. The short licences have gaps for names in which the library takes any word, and none
of them limits the use in its own words."""
HARMLESS = re.compile(
    r"""(?:end \s of \s)? terms \s and \s conditions (?:\s for \s use, \s reproduction,? \s and
    \s distribution)? | free \s of \s charge
    | everyone \s is \s permitted \s to \s copy \s and \s distribute \s verbatim \s copies \s of
    \s this \s license \s document (?:, \s but \s changing \s it \s is \s not \s allowed)?""",
    re.IGNORECASE | re.VERBOSE,
)
"""What belongs to licence texts, though the library does not always include it in a match."""

SILENT = re.compile(
    r"""
    ^\W* (?: portions? \s | parts? \s )? (?: copyright | \(c\) | © | all \s rights \s reserved ) .*$
    | ^\W* (?: the | this \s software \s is \s released \s under \s the | released \s under )? \W*
      [\w .+,"()/-]{0,60}? \b licen[cs]e (?: \s version)? [\w .+,()/-]{0,20} $
    | ^\W* (?: https?://\S+ | \S+@\S+ | v?\d+(?:\.\d+)* | spdx-licen[cs]e-identifier: .* ) \W*$
    | ^ \W* $ | ^ \W* the \W* $
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
"""Lines that a reader need not be shown: copyright, titles, addresses, rulers."""


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
            notes.append(f"{path} not recognised: {_quoted(found.binding or stated or '')}")
        elif not names:
            notes.append(f"{path} not recognised: {_quoted(found.rest)}")
        else:
            expressions |= names
            shown = _quoted(SILENT.sub("", found.rest))
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
        if end - begin < SHORT_LICENSE and LIMITED_USE.search(text, begin, end):
            heads.append(text[begin:end])
    rest.append(text[end:])
    joined = "\n".join(part.strip("\n") for part in rest if part.strip())
    later = {name for name in names if f"{name.removesuffix('-only')}-or-later" in names}
    binding = _binding(joined) or _binding("\n".join(heads))
    return LicenseText(names=frozenset(names - later), rest=joined, binding=binding)


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


def _binding(rest: str) -> str:
    words = HARMLESS.sub("", " ".join(rest.split()))
    found = BINDING.search(words)
    if found is None:
        return ""
    begin = max(words.rfind(". ", 0, found.start()) + 1, found.start() - MAX_QUOTED // 2)
    return words[begin : found.end() + MAX_QUOTED // 2].strip()


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return f'"{words[:MAX_QUOTED]}{"..." if len(words) > MAX_QUOTED else ""}"' if words else ""
