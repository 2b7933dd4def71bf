"""A toy language for the tests: brackets, and literals between angles."""

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.patterns import BRACKETS, pattern

SCORER = BracketScorer(
    syntax=Syntax(tokens=pattern(BRACKETS, "<[^>]*>")),
    blocks=lambda piece, _reading: iter([piece]),
)
