"""C: units are functions; `#if 0` is dead code, and alternatives in `#else` are read once.

Not read: trigraphs and digraphs, which compilers ignore by default or C23 has removed.
"""

import re
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.conditionals import live_tokens
from evaluation.syntax.declared import Declarations, declared_units, first_brace
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import (
    BLOCK_COMMENT,
    BRACKETS,
    ESCAPE,
    LEAVES,
    pattern,
    quoted,
)

_LINE_COMMENT = rf"//[^\n\\]*+(?>(?:{ESCAPE}[^\n\\]*+)*)"
_DIRECTIVE_PART = "|".join(
    (
        r"[^\n\\/\"]",
        ESCAPE,
        r"/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/",
        _LINE_COMMENT,
        rf"\"[^\"\\\n]*+(?>(?:{ESCAPE}[^\"\\\n]*+)*)\"",
        r"[/\"]",
    )
)
_DIRECTIVE = rf"#(?>(?:{_DIRECTIVE_PART})*)"
_MAX_DIGITS = 16
_SEPARATOR = (
    "'(?=[0-9a-fA-F])(?:"
    + "|".join(rf"(?<=\b[0-9]\w{{{n}}}')|(?<='[0-9a-fA-F]\w{{{n}}}')" for n in range(_MAX_DIGITS))
    + ")"
)
"""The separator of digits of C23, as in `1'000'000`."""
_RAW = r'"(?:(?<=\bR")|(?<=\b[LuU]R")|(?<=\bu8R"))(?P<mark>[^\s()\\"]{0,16}+)\('
_RAW_STRING = (
    rf"{_RAW}[^)]*+(?>(?:\)(?!(?P=mark)\")[^)]*+)*)\)(?P=mark)\""
    rf"|{_RAW.replace('?P<mark>', '?:')}([\s\S]*+)"
)
"""A raw string, which GNU C has as well as C++."""

_HEAD = r"(?P<declared>)(?P<head>[A-Za-z_][\w\s*]*+)(?:(?=\()|(?P<other>))"
_NO_FUNCTION = frozenset(
    ["if", "else", "for", "while", "do", "switch", "return", "sizeof", "typedef", "case", "goto"]
)
_TAGS = frozenset(["struct", "union", "enum"])
_OLD_STYLE = re.compile(r"\)(?=\s*+[A-Za-z_])(?>(?:\s*+[A-Za-z_][^(){};=]*+;)+)\s*+\{")
_first_brace = first_brace(bodiless=";=")


def _body(code: str, match: re.Match[str], limit: int) -> int | None:
    """The brace of a function, after parameters that may be declared as K&R did."""
    words = match["head"].split()
    if words[0] in _NO_FUNCTION or words[-1] in _NO_FUNCTION:
        return None
    if words[0] in _TAGS and len(words) == 2 and "*" not in match["head"]:
        return None  # struct __attribute__((packed)) name {
    body = _first_brace(code, match, limit)
    if body is None and (end := code.find(")", match.end(), limit)) >= 0:
        parameters = _OLD_STYLE.match(code, end, min(len(code), end + 1_000))
        return parameters.end() - 1 if parameters else None
    return body


_DECLARATIONS = Declarations(
    start=re.compile(rf"\n{_HEAD}"), at_start=re.compile(_HEAD), body=_body
)

SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_c:language",)),
    syntax=Syntax(
        tokens=pattern(
            LEAVES,
            BRACKETS,
            _LINE_COMMENT,
            BLOCK_COMMENT,
            _RAW_STRING,
            quoted('"'),
            _SEPARATOR,
            quoted("'"),
            _DIRECTIVE,
        ),
        comments=("//", "/*", "#"),
        long_literals=(("/*", "*/"),),
        live=live_tokens,
    ),
    blocks=partial(declared_units, declarations=_DECLARATIONS),
)
