"""The units of samples with their places and validity, and how much of a sample nothing can judge.

The units are those of the headline metric: functions of Python, blocks of other languages. Each is
scored on its own, as a whole file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evaluation.languages import LANGUAGES
from evaluation.languages.python import PythonScorer
from evaluation.scoring.sandbox import score_all
from evaluation.syntax.bracketed import BracketScorer, read_piece
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.units import files

KEYS = {"function_parse_rate": "function_parse_rate", "block_balance_rate": "file_balance_rate"}
"""For every headline metric the one that is 1 for a valid unit scored as a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A function or block of a sample.

    Attributes:
        start, end: character offsets in the sample, end exclusive.
    """

    start: int
    end: int
    text: str
    is_valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found in one sample.

    Attributes:
        units: in order, None if the language has none.
        unfinished: where a string or comment begins that is still open at the end of the sample,
            None if there is none: nothing after it can be judged.
    """

    units: Sequence[Unit] | None
    unfinished: int | None


def judge(language: str, texts: Sequence[str], *, from_start: bool = False) -> Iterator[Judged]:
    """Find and check the units of texts, with file marks between their files.

    Args:
        language: a key of LANGUAGES.
        texts: samples or windows.
        from_start: each begins at the start of a file; otherwise perhaps inside a string, and what
            looks like its end may be the beginning of another.
    """
    scorer = LANGUAGES[language].scorer
    key = KEYS.get(scorer.headline or "")
    if key is None or not isinstance(scorer, BracketScorer | PythonScorer):
        yield from (Judged(units=None, unfinished=None) for _ in texts)
        return
    by_text = [
        [unit for piece in files(text, from_start=from_start) for unit in scorer.units(piece)]
        for text in texts
    ]
    every = [unit.text for units in by_text for unit in units]
    scores = score_all(language, every, shape="file unparsed")
    for text, units in zip(texts, by_text, strict=True):
        checked = []
        for unit in units:
            tally = next(scores).tallies.get(key)
            valid = bool(tally and 0 < tally.of == tally.amount)
            checked.append(Unit(start=unit.offset, end=unit.end, text=unit.text, is_valid=valid))
        yield Judged(units=checked, unfinished=_unfinished(scorer.syntax, text, from_start))


def _unfinished(syntax: Syntax, text: str, from_start: bool) -> int | None:
    """Where the literal begins that the end of the sample cut off."""
    *_, last = files(text, from_start=from_start)
    for fault in read_piece(syntax, replace(last, cut_end=False)).faults:
        if fault.swallowed and fault.offset + fault.swallowed == len(last.text):
            return last.offset + fault.offset
    return None
