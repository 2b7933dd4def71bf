"""Read the licence that a file states in its `SPDX-License-Identifier` tags.

A tag counts where a comment, or a line of a docstring, begins with it or gives it after a copyright
notice, as REUSE and the Linux kernel write it. In a string or in the middle of a sentence it is a
mention. The rest of the line is the expression; an expression with an open bracket or operator
continues in the next line of the comment.

Names of the tag that people mistype are taken for it: "SPDX-License:", "SPDX-License-Identifer:",
in lower case, or without the colon before a licence of SPDX. Such a file states a licence, and it
may be another than that of its source.
"""

import re
from collections.abc import Iterator

from corpora.licenses.spdx import combined_license, normal_license

SPDX = ("SPDX", "spdx", "Spdx")
"""The beginning of a tag. To search for these takes a tenth of the time of a pattern."""
TAG = re.compile(
    r"SPDX[- ]Licen[sc]e (?: (?: [- ]?I[a-z]{5,11}r )? [ \t]* [:=] | -Identifier[ \t]+ (?=\w) )",
    re.IGNORECASE | re.VERBOSE,
)
LEAD = re.compile(
    r"""
    (?: [^\w"'`]*                            # the marker of a comment: # // /* * <!-- ; -- %
      | [^\w"'`]* (?: \"{3} | '{3} ) \s*     # a docstring
      | [ \t]* ["'] [ \t]+                   # comments of Vim and Basic
      | [.']? \\" [ \t]*                     # a comment of roff
      | [ \t]* (?: dnl | rem | c ) [ \t]+    # comments of m4, batch files, Fortran
    )
    (?: (?<=[^\w\s"'`])[ \t]* ["'`] )?       # a tag in quotes, inside a comment
    (?: (?<=<\?)(?:php|=)? \s+ (?: //+ | \# | /\*+ ) \s* )?   # after PHP's opening tag
    (?: @?licen[sc]e:? [ \t]+ )?
    (?: (?: copyright | \(c\) | © ) .* )?    # on the same line as the copyright notice
    """,
    re.IGNORECASE | re.VERBOSE,
)
MAX_LEAD = 200
"""Characters before a tag in its line; more is minified code or a paragraph."""
ABOUT_TAGS = re.compile(
    r"(?:tags?|lines?|headers?|comments?|identifiers?|expressions?|strings?|fields?)\b"
)
"""How a sentence about tags continues."""
CLOSER = re.compile(r"\*/|\*\)|--+>|\"{3}|'{3}|#\}|--\}\}|[%?]>|\]\]|\\n")
DECORATION = " \t\r\f*/#;|%!-.,\"'`<>~="
OPEN_END = re.compile(r"(?:^|[\s)])(?:AND|OR|WITH)$", re.IGNORECASE)
OPERATOR_FIRST = re.compile(r"(?:AND|OR|WITH)\s")
MAX_LINES = 8
IGNORE_START, IGNORE_END = "REUSE-IgnoreStart", "REUSE-IgnoreEnd"


def stated_license(text: str) -> str | None:
    """The SPDX expression of the tags of a file, None if it has none; several are joined by AND.

    An expression that cannot be parsed is returned as `unreadable` marks it.
    """
    expressions = list(dict.fromkeys(tag_expressions(text)))
    return combined_license(expressions) if expressions else None


def tag_expressions(text: str) -> Iterator[str]:
    """The expressions of all tags, as they are written, with line breaks as blanks."""
    has_ignored = IGNORE_START in text
    for place in _places(text):
        tag = TAG.match(text, place)
        if tag is None or (has_ignored and _is_ignored(text, place)):
            continue
        begin = text.rfind("\n", 0, place) + 1
        lead = text[begin:place]
        if len(lead) > MAX_LEAD or not LEAD.fullmatch(lead):
            continue
        expression = _expression(text, tag.end(), lead)
        has_colon = tag[0].endswith((":", "="))
        if not ABOUT_TAGS.match(expression) and (has_colon or normal_license(expression)):
            yield expression


def _places(text: str) -> list[int]:
    """Where tags may begin, in order."""
    places: list[int] = []
    for word in SPDX:
        place = text.find(word)
        while place >= 0:
            places.append(place)
            place = text.find(word, place + len(word))
    return sorted(places)


def _is_ignored(text: str, place: int) -> bool:
    start = text.rfind(IGNORE_START, 0, place)
    return start >= 0 and text.find(IGNORE_END, start, place) < 0


def _expression(text: str, start: int, lead: str) -> str:
    """The expression that begins at `start`, continued over lines of the same comment."""
    expression, begin = "", start
    for _ in range(MAX_LINES):
        end = text.find("\n", begin)
        line = text[begin : end if end >= 0 else len(text)]
        line = line if begin == start else _continuation(line, lead, is_first=not expression)
        closer = CLOSER.search(line)
        part = (line[: closer.start()] if closer else line).strip(DECORATION)
        if begin != start and not (_is_open(expression) or OPERATOR_FIRST.match(part)):
            break
        expression = f"{expression} {part}".strip()
        if closer or end < 0:
            break
        begin = end + 1
    return expression


def _is_open(expression: str) -> bool:
    return (
        not expression
        or expression.count("(") > expression.count(")")
        or OPEN_END.search(expression) is not None
    )


def _continuation(line: str, lead: str, *, is_first: bool) -> str:
    """The text of a further line of the comment, "" if the comment has ended.

    Args:
        is_first: whether the expression begins here; only a line with the same marker may begin it.
    """
    marker = lead.split(maxsplit=1)[0] if lead.split() else ""
    marker = "*" if marker in ("/*", "/**") else marker
    stripped = line.strip()
    if marker and stripped.startswith(marker):
        return stripped[len(marker) :]
    in_block = not marker or marker in ("*", "<!--", "(*", '"""', "'''")
    return stripped if in_block and not is_first else ""
