"""JavaScript: units are methods, named functions, and functions assigned at the top level."""

from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.declared import declared_units
from evaluation.syntax.ecmascript import DECLARATIONS, SYNTAX
from evaluation.syntax.grammar import Grammar

FRAMES = (("", ""), ("class A {", "\n}"))
"""A function is parsed as a file, a method as the member of a class."""

SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_javascript:language",), frames=FRAMES),
    syntax=SYNTAX,
    blocks=partial(declared_units, declarations=DECLARATIONS),
)
