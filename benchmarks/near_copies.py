"""Held-out texts with a near-copy in the training text, by brute force.

    python -m benchmarks.near_copies CORPUS [SIMILARITY]

CORPUS is a folder with the Parquet files of a corpus. Every held-out document is compared with
every training document, and those with a twin of at least SIMILARITY (0.9) are printed. Similarity
is twice the longest common subsequence of characters over the characters of both, which is never
less than difflib's ratio, or than one minus the Levenshtein distance over the longer length. The
search for near-copies that builds a corpus shares no code with this one.

Bounds leave out only pairs that cannot reach the similarity, so the answer is exact:

- The common subsequence is no longer than the shorter text, and no longer than the characters that
  both have, counted.
- Removing or inserting a character changes the counts of at most three pairs of neighbours.

Shapes: N training documents.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora.corpus.parquet import read_documents, read_split
from corpora.document import Document
from system.pool import in_order, processors

SIMILARITY = 0.9
SINGLES, NEIGHBOURS = 128, 1024
"""Numbers of counters. Characters that share one make a bound weaker, never wrong."""
CHECKED = 256
"""Rows after which a comparison looks whether it can still succeed."""
AT_ONCE = 16
"""Held-out documents in a task."""

Counts = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A held-out document and the training document that is most similar to it."""

    held_out: Document
    training: Document
    similarity: float


class Training:
    """Training documents, with counts of characters and of pairs of neighbours."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.lengths = np.array([len(document.text) for document in documents], np.int64)
        self.singles = np.stack([singles(document.text) for document in documents])
        self.neighbours = np.stack([neighbours(document.text) for document in documents])

    def best_twin(self, held_out: Document, least: float) -> Twin | None:
        """The training document most similar to a held-out one, None if none reaches `least`."""
        best = None
        for number in self._possible(held_out.text, least):
            other = self.documents[number]
            found = similarity(held_out.text, other.text, least)
            if found and (best is None or found > best.similarity):
                best = Twin(held_out=held_out, training=other, similarity=found)
                least = found
        return best

    def _possible(self, text: str, least: float) -> list[int]:
        """The documents that may reach `least`, by bounds, the most promising first."""
        both = self.lengths + len(text)
        edits = (1 - least) * both + 1e-6
        near = np.flatnonzero(abs(self.lengths - len(text)) <= edits)
        for counts, own, per_edit in (
            (self.singles, singles(text), 1),
            (self.neighbours, neighbours(text), 3),
        ):
            apart = np.abs(counts[near] - own).sum(axis=1)
            kept = apart <= per_edit * edits[near]
            near, apart = near[kept], apart[kept]
        return near[np.argsort(apart / both[near], kind="stable")].tolist()


def similarity(first: str, second: str, least: float = 0) -> float:
    """Twice the longest common subsequence of characters over both lengths; 0 if below `least`.

    One bit for each character of `first`, a row for each of `second`: Hyyro, "Bit-parallel
    LCS-length computation revisited" (2004).
    """
    both = len(first) + len(second)
    needed = math.ceil(least * both / 2 - 1e-9)
    places = dict.fromkeys(second, 0)
    for number, character in enumerate(first):
        if character in places:
            places[character] |= 1 << number
    whole = (1 << len(first)) - 1
    row = whole
    for number, character in enumerate(second):
        match = row & places[character]
        row = (row + match | row - match) & whole
        if number % CHECKED == 0:
            common, left = len(first) - row.bit_count(), len(second) - number - 1
            if common + left < needed:
                return 0.0
    common = len(first) - row.bit_count()
    return 2 * common / both if common >= needed and both else 0.0


def singles(text: str) -> Counts:
    """How often each character occurs, (128,)."""
    return _counted(_code_points(text), SINGLES)


def neighbours(text: str) -> Counts:
    """How often each pair of neighbouring characters occurs, by a hash of it, (1024,)."""
    points = _code_points(text)
    return _counted(points[:-1] * 31 + points[1:], NEIGHBOURS)


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _counted(values: NDArray[np.uint32], size: int) -> Counts:
    return np.bincount(values % size, minlength=size).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A few held-out documents of a corpus, by their numbers."""

    corpus: Path
    begin: int
    end: int
    least: float


def search(task: Task) -> list[Twin]:
    """The best twin of every document of a task that has one."""
    held_out, training = _loaded(task.corpus)
    found = (
        training.best_twin(document, task.least) for document in held_out[task.begin : task.end]
    )
    return [twin for twin in found if twin]


@cache
def _loaded(corpus: Path) -> tuple[Sequence[Document], Training]:
    """The held-out and the training documents of a corpus, read once in every process."""
    held_out = [*read_documents(corpus, "validation"), *read_documents(corpus, "test")]
    return held_out, Training(list(read_documents(corpus, "train")))


def twins(corpus: Path, least: float = SIMILARITY, *, workers: int = 1) -> Iterator[Twin]:
    """The best twin of every held-out document that has one, in order."""
    count = len(_held_out_digests(corpus))
    tasks = (
        Task(corpus=corpus, begin=begin, end=begin + AT_ONCE, least=least)
        for begin in range(0, count, AT_ONCE)
    )
    for found in in_order(search, tasks, workers=workers):
        yield from found


def _held_out_digests(corpus: Path) -> list[str]:
    return [name for name, split in read_split(corpus).items() if split != "train"]


def main(arguments: Sequence[str]) -> int:
    """Print every held-out document that has a twin; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_copies")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("similarity", type=float, nargs="?", default=SIMILARITY)
    asked = parser.parse_args(arguments)
    count = 0
    for twin in twins(asked.corpus, asked.similarity, workers=processors()):
        count += 1
        names = (f"{each.source}/{each.path}" for each in (twin.held_out, twin.training))
        print(f"{twin.similarity:.3f}", twin.held_out.split, *names, sep="  ")
    held_out = len(_held_out_digests(asked.corpus))
    print(f"{count} of {held_out} held-out documents have a twin of at least {asked.similarity}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
