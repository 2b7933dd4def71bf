"""Parts of which languages compose the regular expression of their tokens.

Patterns never backtrack: `[...]*+` for a set of characters, `(?>(?:...)*)` for a group. The
possessive group `(?:...)*+` is equivalent, but Python before 3.11.5 matches it wrongly
(python/cpython#106052).
"""

import re
from collections.abc import Callable, Iterator

LEAF = frozenset(["round", "square"])
"""Groups of a token that is a pair of brackets and what is inside."""
LITERAL = "literal"
"""Group of a token that is (a part of) a literal or comment, whatever its text."""
ESCAPE = r"\\(?:\r\n|[\s\S])"
"""A backslash and the character after it; a line break counts as one."""

BRACKETS = r"\(|\)|\[|\]|\{|\}"
_PLAIN = r"""[^()\[\]{}"'`/#\\]*+"""
_INNER = rf"{_PLAIN}(?>(?:(?:\({_PLAIN}\)|\[{_PLAIN}\]){_PLAIN})*)"
LEAVES = rf"\({_INNER}\)(?P<round>)|\[{_INNER}\](?P<square>)"
"""Bracket pairs with at most such pairs inside: one token each, for speed. Not if words are tokens.

The time stays linear: an opener that is no leaf is read to the next token that is neither.
"""
BLOCK_COMMENT = r"/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/|/\*([\s\S]*+)"
LINE_COMMENT = r"//[^\n]*+"
FLAT_COMMENT = r"/\*[^*/]*+(?>(?:(?:\*(?!/)|/(?!\*))[^*/]*+)*)\*/"
"""A comment without others inside; after it, `/*` opens one that has some, or never ends."""

_COMMENT_EDGE = re.compile(r"/\*|\*/")
_SPAN = re.compile(rf"(?P<{LITERAL}>[\s\S]*+)")
_REMAINDER = re.compile(r"([\s\S]*+)")


def pattern(*alternatives: str) -> Callable[[str, int], Iterator[re.Match[str]]]:
    """The `tokens` of a language whose tokens are regular.

    Every alternative must begin with a literal character: only then does `re` skip to the next
    candidate by character set.
    """
    return re.compile("|".join(alternatives)).finditer


def words(*keywords: str) -> str:
    """Pattern of whole words.

    It starts with a literal, not a word boundary, so that `re` skips to candidates by character
    set (twice as fast).
    """
    return "|".join(rf"{word}(?<!\w{word})\b" for word in keywords)


def quoted(quote: str) -> str:
    """Pattern of a one-line literal with escapes; unterminated, it matches the rest of the line."""
    body = rf"[^{quote}\\\n]*+(?>(?:{ESCAPE}[^{quote}\\\n]*+)*)"
    return rf"{quote}{body}{quote}|{quote}({body}\\?)"


def tripled(quote: str, stop: str = "") -> str:
    """Pattern of a literal in triple quotes; unterminated, it matches the rest of the text.

    Args:
        quote: one of the three.
        stop: pattern of a line break at which an unterminated one ends.
    """
    end = rf"|\n(?!{stop})" if stop else ""
    plain = rf"[^{quote}\\\n]*+" if stop else rf"[^{quote}\\]*+"
    body = rf"{plain}(?>(?:(?:{ESCAPE}|{quote}(?!{quote}{quote}){end}){plain})*)"
    rest = body if stop else r"[\s\S]*+"
    return rf"{quote * 3}{body}{quote * 3}|{quote * 3}({rest})"


def span(text: str, start: int, end: int) -> re.Match[str]:
    """A token for a literal or comment, or a part of one."""
    match = _SPAN.match(text, start, end)
    assert match
    return match


def never_ending(text: str, start: int, end: int) -> re.Match[str]:
    """A token for an unterminated literal."""
    match = _REMAINDER.match(text, start, end)
    assert match
    return match


def nested_comment(text: str, start: int) -> re.Match[str]:
    """The token of the comment that begins with `/*` at `start` and may contain others."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return span(text, start, edge.end())
    return never_ending(text, start, len(text))
