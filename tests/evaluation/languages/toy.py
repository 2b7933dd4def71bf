"""A toy language for the tests: brackets, and literals between angles."""

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import BRACKETS, Syntax, pattern

SCORER = BracketScorer(
    syntax=Syntax(tokens=pattern(BRACKETS, "<[^>]*>")),
    blocks=lambda piece, _tokens: iter([piece]),
)
