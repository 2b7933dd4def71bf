"""Lua: units are functions with a name; brackets can be long, and keywords delimit blocks."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import PAIRS, Syntax
from evaluation.syntax.compiler import Compiler, Limits, run_limited
from evaluation.syntax.declared import MAX_WORD, Declarations, declared_units
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import BRACKETS, ESCAPE, pattern, words


def _long_bracket(prefix: str, level: str) -> str:
    """Pattern of `[[ ]]` or `[==[ ]==]`; unterminated, it matches the rest of the text."""
    closer = rf"\](?P={level})\]"
    body = rf"[^\]]*+(?>(?:(?!{closer})\][^\]]*+)*)"
    return rf"{prefix}\[(?P<{level}>=*+)\[{body}{closer}|{prefix}\[=*+\[([\s\S]*+)"


def _string(quote: str) -> str:
    r"""Pattern of a one-line string; `\z` skips the whitespace after it, including newlines."""
    body = rf"[^{quote}\\\n]*+(?>(?:(?:\\z\s*+|{ESCAPE})[^{quote}\\\n]*+)*)"
    return rf"{quote}{body}{quote}|{quote}({body}\\?)"


_START = re.compile(r"function(?<!\wfunction)\b")
_NAME = re.compile(r"[ \t]*+[A-Za-z_]")
_ASSIGNED = re.compile(
    r"(?:^|[;,{}\s])(?:local\s+)?[A-Za-z_][\w.]*(?:\[[^\[\]\n]*\])*\s*(?:<\w+>\s*)?=\s*$"
)


def _body(code: str, match: re.Match[str], limit: int) -> int | None:
    """The word `function`, if a name follows it or is assigned to it."""
    line = code.rfind("\n", 0, match.start()) + 1
    before = code[max(line, match.start() - MAX_WORD * 2) : match.start()]
    if _NAME.match(code, match.end()):
        return match.start() if before.strip() in ("", "local") or before[-1:] in " ;" else None
    return match.start() if _ASSIGNED.search(before) else None


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_lua:language",)),
    syntax=Syntax(
        tokens=pattern(
            words("function", "if", "do", "repeat", "end", "until"),
            _long_bracket("--", "comment_level"),
            r"--[^\n]*+",
            r"#!(?<![\s\S]#!)[^\n]*+",
            _long_bracket("", "level"),
            BRACKETS,
            _string('"'),
            _string("'"),
        ),
        pairs={**PAIRS, "function": "end", "if": "end", "do": "end", "repeat": "until"},
        comments=("--", "#!"),
        long_literals=(("[[", "]]"),),
    ),
    blocks=partial(
        declared_units,
        declarations=Declarations(start=_START, body=_body, opener="function", closer=r"end\b"),
    ),
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
