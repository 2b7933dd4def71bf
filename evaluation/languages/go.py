"""Go: units are functions and methods; raw strings span lines."""

import re
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.declared import Declarations, declared_units, first_brace
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import (
    BLOCK_COMMENT,
    BRACKETS,
    LEAVES,
    LINE_COMMENT,
    pattern,
    quoted,
)

_DECLARATIONS = Declarations(
    start=re.compile(r"func\b(?<=^func)", re.MULTILINE),
    body=first_brace(bodiless="\n", type_words=("interface", "struct")),
)

SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_go:language",)),
    syntax=Syntax(
        tokens=pattern(
            LEAVES,
            BRACKETS,
            LINE_COMMENT,
            BLOCK_COMMENT,
            r"`[^`]*+`|`([\s\S]*+)",
            quoted('"'),
            quoted("'"),
        ),
        long_literals=(("/*", "*/"), ("`", "`")),
    ),
    blocks=partial(declared_units, declarations=_DECLARATIONS),
)
