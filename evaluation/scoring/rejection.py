"""Rejection sampling: keep the valid units of what a model writes.

Units are those of the validity metrics: a top-level function or class of Python, or a block of
another language. The acceptance rate says more about the model than the accepted units.
"""

from collections.abc import Iterable, Iterator

from evaluation.errors import ScoreError
from evaluation.languages import LANGUAGES
from evaluation.languages.python import PythonScorer, top_level_blocks
from evaluation.scoring.sandbox import score_all
from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.units import files

VALIDITY = ("file_parse_rate", "file_balance_rate")
"""A unit, scored as a whole file, is valid if the one that its language has is 1."""


def units_of(language: str, text: str) -> list[str]:
    """The whole units of a sample, in order.

    Raises:
        ScoreError: the language has no units.
    """
    scorer = LANGUAGES[language].scorer
    if isinstance(scorer, BracketScorer):
        blocks = scorer.units
    elif isinstance(scorer, PythonScorer):
        blocks = top_level_blocks
    else:
        raise ScoreError(f"language {language!r} has no units to check for validity")
    return [unit.text for piece in files(text) for unit in blocks(piece)]


def checked_units(language: str, texts: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Every unit of the samples, and whether it is valid; a unit that kills its scorer is not.

    Raises:
        ScoreError: the language has no units.
    """
    units = [unit for text in texts for unit in units_of(language, text)]
    for unit, score in zip(units, score_all(language, units, shape="file"), strict=True):
        tallies = [score.tallies[key] for key in VALIDITY if key in score.tallies]
        yield unit, any(tally.of and tally.amount == tally.of for tally in tallies)
