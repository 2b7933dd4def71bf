"""Rust: units are functions with a body; comments nest, and a quote can begin a lifetime."""

import re
from collections.abc import Iterator
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.declared import Declarations, declared_units, first_brace
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import (
    BRACKETS,
    FLAT_COMMENT,
    LEAVES,
    LINE_COMMENT,
    nested_comment,
    pattern,
)

_CODE = pattern(
    LEAVES,
    BRACKETS,
    LINE_COMMENT,
    FLAT_COMMENT,
    r"/\*",
    r'"(?<=\Wr"|[bc]r")[^"]*+"',
    r'"[^"\\]*+(?>(?:\\[\s\S][^"\\]*+)*)"|"([\s\S]*+)',
    r'#(?<=\Wr#|[bc]r#)(?P<hashes>#*+)"[^"]*+(?>(?:"(?!#(?P=hashes))[^"]*+)*)"#(?P=hashes)',
    r'#(?<=\Wr#|[bc]r#)#*+"([\s\S]*+)',
    r"'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]{1,12}\}|x[0-9a-fA-F]{2}|[^\n]))'",
)
_DECLARATIONS = Declarations(
    start=re.compile(r"fn(?<=\bfn)\s+(?:r#)?[^\W\d]\w*"),
    body=first_brace(bodiless=";"),
)


def tokens(text: str, start: int) -> Iterator[re.Match[str]]:
    """Every bracket, literal and comment of Rust code; see `Syntax`."""
    position: int | None = start
    while position is not None:
        code, position = _CODE(text, position), None
        for match in code:
            if match[0] != "/*":
                yield match
                continue
            comment = nested_comment(text, match.start())
            yield comment
            position = comment.end()
            break


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_rust:language",)),
    syntax=Syntax(tokens=tokens, long_literals=(("/*", "*/"), ('"', '"'))),
    blocks=partial(declared_units, declarations=_DECLARATIONS),
)
