"""Lua: units end at an `end` in column 0; brackets can be long, and keywords delimit blocks."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import BRACKETS, PAIRS, Syntax, pattern, words
from evaluation.syntax.compiler import Compiler, Limits, run_limited
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.units import closed_blocks


def _long_bracket(prefix: str, level: str) -> str:
    """Pattern of `[[ ]]` or `[==[ ]==]`; unterminated, it matches the rest of the text."""
    closer = rf"\](?P={level})\]"
    body = rf"[^\]]*+(?>(?:(?!{closer})\][^\]]*+)*)"
    return rf"{prefix}\[(?P<{level}>=*+)\[{body}{closer}|{prefix}\[=*+\[([\s\S]*+)"


def _string(quote: str) -> str:
    r"""Pattern of a one-line string; `\z` skips the whitespace after it, including newlines."""
    body = rf"[^{quote}\\\n]*+(?>(?:(?:\\z\s*+|\\[\s\S])[^{quote}\\\n]*+)*)"
    return rf"{quote}{body}{quote}|{quote}({body}\\?)"


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_lua:language",)),
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


def _rejected(
    programs: Sequence[str], folder: Path, names: Sequence[str], limits: Limits
) -> set[str] | None:
    """Files that every `luac -p` rejects; it stops after parsing.

    `find` starts one process per file, so that each has its own limits.
    """
    tests = [word for program in programs for word in ("!", "-exec", program, "-p", "{}", ";")]
    done = run_limited(["find", *names, *tests, "-print"], folder, limits)
    return set(done.stdout.decode().splitlines()) if done else None


COMPILER = Compiler(
    programs=("luac", "luac5.1", "luac5.2", "luac5.3", "luac5.4"),
    rejected=_rejected,
    good="local a = missing.b\n",
    bad="local = 1\n",
)
