"""Lua: units end in `end` in column 0; brackets are long, and blocks stand between words."""

import re
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import BRACKETS, PAIRS, Syntax, pattern, words
from evaluation.syntax.units import closed_blocks


def _long_bracket(prefix: str, level: str) -> str:
    """Pattern of `[[ ]]` or `[==[ ]==]`; without its end it takes the rest of the text."""
    closer = rf"\](?P={level})\]"
    body = rf"[^\]]*+(?>(?:(?!{closer})\][^\]]*+)*)"
    return rf"{prefix}\[(?P<{level}>=*+)\[{body}{closer}|{prefix}\[=*+\[([\s\S]*+)"


def _string(quote: str) -> str:
    r"""Pattern of a one-line string; `\z` skips the blanks behind it, newlines too."""
    body = rf"[^{quote}\\\n]*+(?>(?:(?:\\z\s*+|\\[\s\S])[^{quote}\\\n]*+)*)"
    return rf"{quote}{body}{quote}|{quote}({body}\\?)"


SCORER = BracketScorer(
    language="lua",
    extensions=(".lua",),
    syntax=Syntax(
        tokens=pattern(
            words("function", "if", "do", "repeat", "end", "until"),
            _long_bracket("--", "comment_level"),
            r"--[^\n]*+",
            _long_bracket("", "level"),
            BRACKETS,
            _string('"'),
            _string("'"),
        ),
        pairs={**PAIRS, "function": "end", "if": "end", "do": "end", "repeat": "until"},
        long_literals=(("[[", "]]"),),
    ),
    blocks=partial(closed_blocks, closer=re.compile(r"\nend\b[^\n]*+")),
)
