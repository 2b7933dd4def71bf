"""Self-test of the evaluation: do its metrics recover known answers from synthetic texts?

Each check compares one figure with the true value for a generated text. Checks that need a trained
model run the whole pipeline; see `flows.cli.selftest`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.baselines.ngram import NgramCounts
from evaluation.metrics.bootstrap import ratio_metric
from evaluation.metrics.originality import CopyIndex
from evaluation.results import Metric
from evaluation.scoring.sandbox import score_all
from evaluation.selftest.planted import ALPHABET, MarkovSource, dyck_file, functions_file
from modeling.vocab import SPECIALS, Vocabulary

SEED = 0
DOCUMENT = 5_000
"""Characters of a synthetic document."""
LETTERS = tuple(map(chr, range(97, 123)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One known answer and its measurement.

    Attributes:
        planted: the true value.
        found: the measured value.
        tolerance: largest allowed difference between them.
    """

    name: str
    planted: float
    found: float
    tolerance: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the measured value is within its tolerance."""
        return abs(self.found - self.planted) <= self.tolerance


def checks() -> Iterator[Check]:
    """All checks that need no trained model; they take a few seconds."""
    yield from _likelihood(np.random.default_rng(SEED))
    yield _balance(np.random.default_rng(SEED))
    yield _invalid_share(np.random.default_rng(SEED))
    yield from _copies(np.random.default_rng(SEED))


def _likelihood(generator: np.random.Generator) -> Iterator[Check]:
    """Bits of n-grams, compared with the entropies of the source of the text."""
    source = MarkovSource.draw(generator)
    train, test = ([source.text(generator, DOCUMENT) for _ in range(n)] for n in (80, 20))
    vocabulary = Vocabulary(tuple(sorted(ALPHABET)))
    counts = NgramCounts(vocabulary.encode_documents(train), vocabulary, 3)
    ids = vocabulary.encode_documents(test)

    def bits(order: int) -> float:
        return float(np.concatenate(counts.model(order).bits(ids)).mean())

    uniform = math.log2(len(ALPHABET) + SPECIALS)
    yield Check(name="uniform, log2 V bits", planted=uniform, found=bits(0), tolerance=1e-9)
    for name, order, planted in (
        ("unigram, entropy of characters", 1, source.unigram_entropy),
        ("n-gram of matching order, entropy of a Markov source", 3, source.entropy),
    ):
        yield Check(name=name, planted=planted, found=bits(order), tolerance=planted / 100)


def _balance(generator: np.random.Generator) -> Check:
    """Whole files of balanced brackets."""
    texts = [dyck_file(generator, 30) for _ in range(10)]
    scores = list(score_all("c", texts, shape="file"))
    metric = ratio_metric([score.tallies["block_balance_rate"] for score in scores])
    return Check(name="Dyck language, share of balanced blocks", planted=1.0, found=_value(metric))


def _invalid_share(generator: np.random.Generator) -> Check:
    """A known share of functions that do not parse."""
    texts = [functions_file(generator, whole=30, broken=10) for _ in range(5)]
    scores = list(score_all("python", texts, shape="file"))
    metric = ratio_metric([score.tallies["function_parse_rate"] for score in scores])
    return Check(name="functions, share that parse", planted=0.75, found=_value(metric))


def _copies(generator: np.random.Generator) -> Iterator[Check]:
    """Copies from known places, inside random text: all are found exactly, and no others."""
    train = [_noise(generator, DOCUMENT) for _ in range(20)]
    index = CopyIndex(train, [(str(number), None) for number in range(len(train))])
    planted, text = set(), ""
    for number in range(40):
        length, start = int(generator.integers(50, 400)), int(generator.integers(0, 4_000))
        text += _noise(generator, 100).upper()
        document = number % len(train)
        planted.add((len(text), len(text) + length, str(document)))
        text += train[document][start : start + length]
    text += _noise(generator, 100).upper()
    found = {(span.start, span.end, span.path) for span in index.spans(text)}
    yield Check(name="copies found, to the character", planted=40, found=len(found & planted))
    yield Check(name="copies found that are none", planted=0, found=len(found - planted))


def _noise(generator: np.random.Generator, length: int) -> str:
    return "".join(generator.choice(LETTERS, length))


def _value(metric: Metric) -> float:
    """The value, or NaN if nothing was counted, which is outside every tolerance."""
    return math.nan if metric.value is None else metric.value
