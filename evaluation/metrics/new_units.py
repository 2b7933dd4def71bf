"""Valid, original units: what a sample contributes that neither repeats nor copies.

The share of valid units says nothing of how many there are: a page of blanks with one function in
it scores 100 %, and so does a sample that copies its training text. So each unit counts once in a
sample, and only if it is valid and mostly not copied.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.results import CopiedSpan, Tally
from evaluation.scoring.judged import Judged, Unit
from modeling.vocab import FILE_MARK

NEW_UNITS = "new_units_per_kb"
MAX_COPIED = 0.5
"""Share of a unit inside copied spans from which on it is a copy."""
MIN_JUDGED = 0.1
"""With less of a text before its unfinished string, faults per kB would mean nothing."""
PER_JUDGED_KB = ("nesting_mismatches_per_kb", "unterminated_literals_per_kb")


def new_unit_tally(text: str, judged: Judged, spans: Sequence[CopiedSpan]) -> Mapping[str, Tally]:
    """Count distinct units that are valid and not copied, per kB; nothing without units.

    Args:
        text: a sample or window.
        judged: its units.
        spans: its copied spans.
    """
    if judged.units is None:
        return {}
    copied = np.zeros(len(text) + 1, np.int64)
    for span in spans:
        copied[span.start + 1 : span.end + 1] = 1
    before = copied.cumsum()

    def is_new(unit: Unit) -> bool:
        inside = before[unit.end] - before[unit.start]
        return unit.is_valid and inside < MAX_COPIED * (unit.end - unit.start)

    found = {unit.text.strip() for unit in judged.units if is_new(unit)}
    characters = len(text) - text.count(FILE_MARK)
    return {NEW_UNITS: Tally(len(found), characters / 1000)}


def of_judged_part(
    tallies: Mapping[str, Tally], characters: int, unfinished: int | None
) -> dict[str, Tally]:
    """The same tallies, but faults per kB of the text before an unfinished string or comment.

    What is inside cannot have crossed brackets: it must not count as text without any.
    """
    if unfinished is None:
        return dict(tallies)
    share = unfinished / characters if unfinished >= MIN_JUDGED * characters else 0.0
    return {
        key: Tally(tally.amount if share else 0, tally.of * share)
        if key in PER_JUDGED_KB
        else tally
        for key, tally in tallies.items()
    }
