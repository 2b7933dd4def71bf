"""Synthetic texts with known answers, to test the metrics on.

All are drawn from the caller's random generator, and all look like small text files: lines of
moderate length without trailing blanks.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ALPHABET = "abcdef \n"
CONCENTRATION = 0.3
"""Parameter of the Dirichlet distribution of every row; gives about 1.5 bits per character."""
PAIRS = ("()", "[]", "{}")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MarkovSource:
    """A stationary Markov source of order 2 over the V characters of ALPHABET.

    Attributes:
        rows: probability of the next character after every pair, (V * V, V).
    """

    rows: Floats

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "MarkovSource":
        """Draw a random source, in which a blank follows neither a blank nor a newline."""
        size = len(ALPHABET)
        rows = generator.dirichlet([CONCENTRATION] * size, size * size) + 1e-3
        letters = size - 2
        after_blank = np.arange(size * size) % size >= letters
        rows[np.ix_(after_blank, np.arange(size) >= letters)] = 0
        return cls(rows / rows.sum(axis=1, keepdims=True))

    @cached_property
    def stationary(self) -> Floats:
        """Stationary probability of every pair, (V * V,)."""
        size = len(ALPHABET)
        step = np.zeros((size * size, size * size))
        for pair, row in enumerate(self.rows):
            step[pair, pair % size * size + np.arange(size)] = row
        return np.linalg.matrix_power(step, 4096)[0]

    @property
    def entropy(self) -> float:
        """Bits per character, the lower bound for every predictor (Shannon 1948, theorem 5)."""
        logs = np.log2(self.rows, where=self.rows > 0, out=np.zeros_like(self.rows))
        return float(-(self.stationary @ (self.rows * logs).sum(axis=1)))

    @property
    def unigram_entropy(self) -> float:
        """Bits per character for a predictor that knows only the character frequencies."""
        size = len(ALPHABET)
        shares = self.stationary.reshape(size, size).sum(axis=0)
        return float(-(shares * np.log2(shares)).sum())

    def text(self, generator: np.random.Generator, length: int) -> str:
        """Draw `length` characters from the source in its stationary state."""
        size = len(ALPHABET)
        pair = int(generator.choice(size * size, p=self.stationary))
        cumulative = self.rows.cumsum(axis=1)
        written = []
        for draw in generator.random(length):
            following = min(int(np.searchsorted(cumulative[pair], draw)), size - 1)
            written.append(ALPHABET[following])
            pair = pair % size * size + following
        return "".join(written)


def dyck_file(generator: np.random.Generator, blocks: int) -> str:
    """A file of balanced brackets in the form of C blocks: each ends in a brace in column 0."""
    return "".join(_dyck_block(generator, number) for number in range(blocks))


def _dyck_block(generator: np.random.Generator, number: int) -> str:
    lines = [f"\t{_dyck_word(generator)};" for _ in range(int(generator.integers(2, 6)))]
    return "\n".join([f"f{number}{generator.integers(10**6)}()", "{", *lines, "}", "", ""])


def _dyck_word(generator: np.random.Generator) -> str:
    """A balanced word of up to 16 brackets, letters between them."""
    word, open_ = [], []
    for _ in range(int(generator.integers(2, 9))):
        opener, closer = PAIRS[generator.integers(len(PAIRS))]
        word += [ALPHABET[generator.integers(6)], opener]
        open_.append(closer)
        while open_ and generator.random() < 0.5:
            word.append(open_.pop())
    return "".join([*word, *reversed(open_)])


def functions_file(generator: np.random.Generator, *, whole: int, broken: int) -> str:
    """Python functions in random order, `whole` that parse and `broken` that do not."""
    bodies = ["    return (a + {})\n"] * whole + ["    return (a + {}]\n"] * broken
    generator.shuffle(bodies)
    return "\n".join(f"def f{i}(a):\n{body.format(i)}" for i, body in enumerate(bodies))
