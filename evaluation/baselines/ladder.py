"""The ladder: bits per character of every predictor on the same held-out characters.

The rows made here are static: none of them learns from the text that it scores. State and context
are reset at the start of every file. `compressors` makes the rows that adapt.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines.ngram import NgramCounts
from evaluation.metrics.bootstrap import ratio_metric
from evaluation.results import LadderRow, Tally
from modeling.vocab import Ids, Vocabulary

Bits = NDArray[np.float64]
Kind = Literal["uniform", "unigram", "ngram", "model", "adaptive"]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out documents and their sizes.

    Attributes:
        ids: of each document, starting with the file mark.
        characters, utf8_bytes: of each document.
    """

    ids: Sequence[Ids]
    characters: NDArray[np.int64]
    utf8_bytes: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Vocabulary) -> Self:
        """Encode held-out texts for a model with `vocabulary`."""
        return cls(
            ids=vocabulary.encode_documents(texts),
            characters=np.array([len(text) for text in texts]),
            utf8_bytes=np.array([len(text.encode()) for text in texts]),
        )

    def row(
        self,
        name: str,
        kind: Kind,
        bits: Bits,
        train_bits_per_char: float | None = None,
    ) -> LadderRow:
        """Make a row from the bits of every document, (documents,)."""
        tallies = [Tally(*pair) for pair in zip(bits, self.characters, strict=True)]
        return LadderRow(
            name=name,
            kind=kind,
            bits_per_char=float(bits.sum() / self.characters.sum()),
            bits_per_byte=float(bits.sum() / self.utf8_bytes.sum()),
            train_bits_per_char=train_bits_per_char,
            interval=ratio_metric(tallies).interval,
        )


def baseline_rows(
    counts: NgramCounts, orders: Sequence[int], held_out: HeldOut
) -> Iterator[tuple[LadderRow, Bits]]:
    """Uniform, unigram, and the Kneser-Ney model of every order, with the bits per document."""
    names: Mapping[int, tuple[str, Kind]] = {
        0: ("uniform", "uniform"),
        1: ("unigram", "unigram"),
        **{order: (f"Kneser-Ney {order}", "ngram") for order in orders},
    }
    for order, (name, kind) in names.items():
        bits = np.array([each.sum() for each in counts.model(order).bits(held_out.ids)])
        yield held_out.row(name, kind, bits), bits


def best_ngram(rows: Sequence[LadderRow]) -> LadderRow:
    """The n-gram row with the fewest bits."""
    return min((row for row in rows if row.kind == "ngram"), key=lambda row: row.bits_per_char)


def model_row(rows: Sequence[LadderRow]) -> LadderRow:
    """The row of the evaluated model."""
    return next(row for row in rows if row.kind == "model")
