"""How little a text repeats itself, which reveals degenerate text with a high validity.

An endless comment, one repeated word or a page of blanks parses and is balanced, but has a low
diversity. Every figure depends on the length of the text: compare only texts of the same length.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluation.results import Tally
from modeling.vocab import FILE_MARK

Points = NDArray[np.uint64]

ZSTD_LEVEL = 3
NGRAM_LENGTH = 6
"""About a word. Of the 6-grams in 10,000 characters, 45 % are distinct in the Python standard
library, 71 % in samples of an n-gram model of it, and none in a loop. Shorter n-grams have few
distinct values in any text; longer ones are nearly all distinct in any text that does not loop."""
_KEY_BITS = 64


def diversity(text: str) -> dict[str, Tally]:
    """Measure one text; a metric with nothing to count is the empty tally (0, 0).

    Returns:
        distinct_ngrams: distinct character 6-grams, out of all.
        repetition: bytes after zstd at level 3, out of bytes of UTF-8; low for a text that repeats
            itself.
        longest_run: length of the longest run of one character, out of one text, so that the
            metric over many texts is the mean of their longest runs.
        repeated_lines_fraction: lines that occurred earlier in the text, out of all lines that are
            not blank; surrounding blanks are ignored.
        blank_fraction: blanks and line ends, out of all characters.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    return {
        "distinct_ngrams": _distinct_ngrams(points),
        "repetition": _compressed(text),
        "longest_run": _longest_run(points),
        "repeated_lines_fraction": _repeated_lines(text),
        "blank_fraction": Tally(len(text) - len("".join(text.split())), len(text)),
    }


def _distinct_ngrams(points: Points) -> Tally:
    number = len(points) - NGRAM_LENGTH + 1
    if number <= 0:
        return Tally(0, 0)
    keys, used = np.zeros(number, np.uint64), 0
    bits = int(points.max()).bit_length()
    for start in range(NGRAM_LENGTH):
        if used + bits > _KEY_BITS:
            keys, used = _ranks(keys)
        keys = keys << np.uint64(bits) | points[start : start + number]
        used += bits
    keys.sort()
    return Tally(int(np.count_nonzero(np.diff(keys))) + 1, number)


def _ranks(keys: Points) -> tuple[Points, int]:
    """The rank of every key among the distinct keys, and the width of the ranks in bits."""
    distinct, ranks = np.unique(keys, return_inverse=True)
    return ranks.astype(np.uint64), len(distinct).bit_length()


def _compressed(text: str) -> Tally:
    plain = text.encode("utf-8", "surrogatepass")
    if not plain:
        return Tally(0, 0)
    return Tally(pa.Codec("zstd", ZSTD_LEVEL).compress(plain).size, len(plain))


def _longest_run(points: Points) -> Tally:
    if not len(points):
        return Tally(0, 0)
    ends = np.append(np.flatnonzero(np.diff(points)), len(points) - 1)
    return Tally(int(np.diff(ends, prepend=-1).max()), 1)


def _repeated_lines(text: str) -> Tally:
    lines = [line.strip() for line in text.replace(FILE_MARK, "\n").splitlines()]
    lines = [line for line in lines if line]
    return Tally(len(lines) - len(set(lines)), len(lines))
