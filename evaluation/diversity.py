"""How little a text repeats itself, so that degenerate text cannot hide behind a validity figure.

An endless comment, one repeated word or a page of blanks parses and balances; here it stands out.
Every figure depends on the length of the text: compare only texts cut to the same length.
"""

from itertools import groupby

import pyarrow as pa

from evaluation.results import Tally
from modeling.vocab import FILE_MARK

ZSTD_LEVEL = 3
NGRAM_LENGTH = 6
"""About a word. Of the 6-grams in 10,000 characters, 45 % are distinct in the Python standard
library, 71 % in what an n-gram model makes of it, none in a loop; shorter ones are few in any
text, longer ones nearly all distinct in any that does not loop."""


def diversity(text: str) -> dict[str, Tally]:
    """Measure one text; what it has nothing of is the empty tally (0, 0).

    Returns:
        distinct_ngrams: distinct character 6-grams out of all.
        repetition: bytes after zstd at level 3 out of bytes of UTF-8; low for a text that
            repeats itself.
        longest_run: length of the longest run of one character, out of one text, so that the
            metric over many texts is the mean of their longest runs.
        repeated_lines_fraction: lines that stood in the text before, out of all lines that are
            not blank; the blanks around a line do not matter.
    """
    return {
        "distinct_ngrams": _distinct_ngrams(text),
        "repetition": _compressed(text),
        "longest_run": _longest_run(text),
        "repeated_lines_fraction": _repeated_lines(text),
    }


def _distinct_ngrams(text: str) -> Tally:
    starts = range(len(text) - NGRAM_LENGTH + 1)
    return Tally(len({text[i : i + NGRAM_LENGTH] for i in starts}), len(starts))


def _compressed(text: str) -> Tally:
    plain = text.encode("utf-8", "surrogatepass")
    if not plain:
        return Tally(0, 0)
    return Tally(pa.Codec("zstd", ZSTD_LEVEL).compress(plain).size, len(plain))


def _longest_run(text: str) -> Tally:
    runs = (sum(1 for _ in run) for _, run in groupby(text))
    return Tally(max(runs, default=0), 1 if text else 0)


def _repeated_lines(text: str) -> Tally:
    lines = [line.strip() for line in text.replace(FILE_MARK, "\n").splitlines()]
    lines = [line for line in lines if line]
    return Tally(len(lines) - len(set(lines)), len(lines))
