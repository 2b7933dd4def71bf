"""What a licence file says besides licence texts: does it bind the reader, and is it worth showing?

Nobody can list every condition that a person may write. So the list of words that may bind is long,
and any of them makes the licence unknown: better a library too few than a condition overlooked.
"""

import re

MAX_QUOTED = 400

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
    \b(?: must | shall | cannot | can't | never | evil | agree\w* | consent | forb\w+ | prohibit\w*
      | may \s (?:\w+ly \s)? (?: not | be \s (?:us|sold|copied|modif|distrib|redistrib)\w* )
      | (?:not|don't) \s (?:\w+ \s){0,2}? (?: us(?:e|ed|ing) | sold | sell | allowed | granted
          | (?:re)?distributed? | copy | copied | modify | modified )
      | not \s for | no \s (?:\w+ \s)? (?: rights? | part | one | use | licen[cs]e )
      | only \s (?: for | be | if | in | with | as | to | when | by | on | within | under | non\w* )
      | (?: us(?:e|es|age|ed|ers?) | purposes? | basis | projects? | persons? ) \s only
      | (?<! \d \s ) only (?= \W* (?: [.,;:)] | $ ) )
      | except \s (?: by | for | that | to | with | under )
      | except \s (?: when | where ) \s (?! otherwise | explicitly | noted | stated )
      | unless \s (?! otherwise | explicitly | noted | stated | specified | indicated )
      | permit\w* | permissions? | granted | grants? \s (?:you|no|the|an?|to|perm\w+|licen\w+)
      | licens(?:ee|or)s? | conditions? | conditional\w* | requirements? | required \s to
      | requires? \s (?:that|you) | provided \s that | (?:as|so) \s long \s as
      | restrict(?:s|ed|ing|ive) | restrictions? \s* (?:are|:)
      | (?:additional|following|further|these|other|no) \s restrictions?
      | limited \s (?:to|by) | exclusive\w* | proprietary | confidential\w* | trade \s secrets?
      | unpublished | end[ -]users? | eula | subscri\w+ | fees? | royalt\w+ | pay | paid
      | payments? | purchase\w* | (?<!non-)profits? | (?:re)?sell(?:ing)? | sold | sale
      | charged? | revenue | academic\w* | education\w* | teaching | students?
      | for \s research | research \s (?: and | or | use | purpos\w+ )
      | scientific \s (?:use|purpos\w*) | internal \s (?:use|business|purpos\w*)
      | personal \s \w* \s? (?:use|purpos\w*) | private \s use | evaluation | trial
      | military | weapons? | war | ethic\w* | harm(?:ful|s|ing)? | human \s rights
      | terminat\w+ | revo[ck]\w+ | expir\w+ | competi(?:ng|tors?|tive)
      | machine \s learning | (?:ai|model) \s training | train \s
    )\b
    | com+er[cz] | kommerz | gewerb | \bnur\b | \binterdi[tc] | \buniquement\b | \bs[o\u00f3]lo\b
    | \b(?: verboten | untersagt | prohibid | vietat | proibid | uitsluitend | verboden
      | f\u00f6rbjud | forbud | ainoastaan | kiellet | wy\u0142\u0105cznie | zabron | zak\u00e1z
      | interzis | yasak | ticari | yaln\u0131z | dilarang | c\u1ea5m )
    | \b(?: soltanto | somente | apenas | alleen | endast | tylko | pouze | csak | tilos | doar
      | hanya )\b
    | [\u0400-\u04ff\u0590-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words that may add a condition or take a permission away. The last lines:
the words that most often do so in other languages, and scripts in which none of them can be found.
"""

HARMLESS = re.compile(
    r"""
    (?:end \s of \s)? terms \s and \s conditions
    (?:\s for \s use, \s reproduction,? \s and \s distribution)?
    | free \s of \s charge
    | everyone \s is \s permitted \s to \s copy \s and \s distribute \s verbatim \s copies \s of
    \s this \s license \s document (?:, \s but \s changing \s it \s is \s not \s allowed)?
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What belongs to licence texts, though the library does not always include it in a match."""

LIMITED_USE = re.compile(
    r"(?<!\bor\s)non\W?com+er[cz]|\b(?:for|in)\s+research|\b(?:research|internal|personal|private)\s+use"
    r"|academic|education|military|evaluation|\b(?:use|purposes?|basis)\s+only\b"
    r"|\byou\s+may\s+not\b(?!\suse\sthis\s\w+\sexcept)|\bunless\s+you\b|\bexcept\s+(?:by|for)\b"
    r"|\bin\s\w+\sonly\b",
    re.IGNORECASE,
)
"""A limit on use, where a licence text has a gap for a name, or an example."""

SILENT = re.compile(
    r"""
    ^ [^\w\n]* (?: portions? \s | parts? \s )?
      (?: copyright [^\w\n]+ (?:\d | c \b | by ) | copyright [ ]* (?: \(c\) | © )
        | \(c\) | © | all [ ] rights [ ] reserved ) .* $
    | ^ [^\w\n]* (?: (?: this [ ] software [ ] is [ ] )? released [ ] under (?: [ ] the )? | the )?
      [^\w\n]* [\w .+,"()/-]{0,60}? \b licen[cs]e (?: [ ] version)? [\w .+,()/-]{0,20} $
    | ^ [^\w\n]* (?: https?://\S+ | \S+@\S+ | v?\d+(?:\.\d+)* | spdx-licen[cs]e-identifier: .*
      | the )? [^\w\n]* $
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
"""Lines that a reader need not be shown: copyright, titles, addresses, rulers."""
MARKERS = re.compile(r"[*#|~`<>]+|(?<![:/])/{2,}|(?m:^[^\w\n(\"']+)")
"""What comments and Markdown put between words."""


def binding_words(rest: str) -> str:
    """The first words that may bind the reader, with what surrounds them; "" if there are none."""
    words = HARMLESS.sub("", plain(rest))
    found = BINDING.search(words)
    if found is None:
        return ""
    begin = max(words.rfind(". ", 0, found.start()) + 1, found.start() - MAX_QUOTED // 4)
    return words[begin : found.end() + MAX_QUOTED // 4].strip()


def limiting_words(text: str) -> str:
    """A limit on use in a text with gaps for names; "" if there is none."""
    found = LIMITED_USE.search(plain(text))
    return found[0] if found else ""


def plain(text: str) -> str:
    """The words with single blanks, without line breaks and the markers of comments."""
    return " ".join(MARKERS.sub(" ", text).split())


def telling_words(rest: str) -> str:
    """The rest without lines that say nothing, shortened and in quotes; "" if nothing remains."""
    return quoted(SILENT.sub("", rest))


def quoted(text: str) -> str:
    """The text in one line of bounded length, in quotes; "" if it is empty."""
    words = "".join(filter(str.isprintable, " ".join(text.split())))
    return f'"{words[:MAX_QUOTED]}{"..." if len(words) > MAX_QUOTED else ""}"' if words else ""
