"""Chunks of text for truncated backpropagation through time.

B streams read the corpus in parallel, T characters at a time, and carry their hidden state from
chunk to chunk (Williams & Peng 1990). The corpus is divided into pieces: its documents, where those
longer than 1/B of the corpus are divided into equal parts. A stream that reaches the end of its
piece takes the next one. The order of the pieces is shuffled for every epoch, so an epoch trains
every character exactly once.

A document is trained as it is scored: its file mark is read with zero state. A piece therefore
starts a new chunk, and the rest of the previous chunk is padding: T/2 characters per document on
average, which is 0.2 % of the work for files of 10,000 characters and T = 32, and a quarter for
comments of 50 characters.

All randomness is a function of (seed, epoch) or (seed, step), so there is no generator to save.

Shapes: B streams, T characters a chunk, N characters in the corpus, P pieces.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modeling.errors import TextError
from modeling.vocab import MARK_ID, Ids

IGNORED = -100
"""Target of a position that is not trained; torch's `cross_entropy` skips it."""

_ORDER, _JUMPS = 0, 1
_LINE = 256
"""Longer lines are not read from their start after a jump: their ends would be read too rarely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One chunk of every stream: its positions; the text is cut out on demand.

    Attributes:
        text: the corpus, (N,).
        length: T.
        position: first input of every stream, (B,) int64.
        end: end of its piece, (B,) int64; characters after it are not trained.
        carried: whether the stream continues its last chunk, (B,) bool; otherwise its state is
            reset to zero.
        characters: number of targets to train.
    """

    text: Ids
    length: int
    position: NDArray[np.int64]
    end: NDArray[np.int64]
    carried: Tensor
    characters: int

    @property
    def window(self) -> Ids:
        """All inputs and the character after the last one, (B, T + 1)."""
        places = self.position[:, None] + np.arange(self.length + 1)
        return self.text[places % len(self.text)]

    @property
    def ids(self) -> Tensor:
        """Inputs, (B, T) int64."""
        return torch.from_numpy(self.window[:, :-1].astype(np.int64))

    @property
    def targets(self) -> Tensor:
        """The character after each input, (B, T) int64, or IGNORED."""
        inside = self.position[:, None] + np.arange(self.length) < self.end[:, None]
        after = self.window[:, 1:].astype(np.int64)
        return torch.from_numpy(np.where(inside, after, IGNORED))

    def part(self, rows: slice) -> "Batch":
        """Select some of the streams; `characters` still counts all of them."""
        return replace(
            self, position=self.position[rows], end=self.end[rows], carried=self.carried[rows]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Positions of the streams: all that `Batches` remembers between two chunks.

    Attributes:
        position: next input of every stream, (B,) int64.
        end: end of its piece, (B,) int64.
        taken: number of pieces handed out since the start of training.
    """

    position: NDArray[np.int64]
    end: NDArray[np.int64]
    taken: int


class Batches:
    """The chunks of a corpus, in order."""

    def __init__(
        self,
        stream: Ids,
        *,
        batch_size: int,
        chunk_length: int,
        jump_probability: float = 0.0,
        line_break: int | None = None,
        seed: int = 0,
    ) -> None:
        """Divide the corpus.

        Args:
            stream: all documents, each preceded by its mark, (N,) uint16; may be a memmap.
            batch_size: B; lowered if the corpus has fewer than B * T characters.
            chunk_length: T.
            jump_probability: probability of a jump to a random position, per stream and chunk.
            line_break: id of the character that ends lines; with it, a jump leads to the start of a
                line, where zero state is right about the column, unless the line is very long.
            seed: determines the order of pieces and the jumps.

        Raises:
            TextError: there is less than one chunk of text.
        """
        if len(stream) < chunk_length:
            raise TextError(
                f"the training text has {len(stream)} characters, too few for one chunk; "
                f"chunk_length must be at most {len(stream)}, got {chunk_length}"
            )
        assert stream[0] == MARK_ID
        self._stream = stream
        self._chunk_length = chunk_length
        self._jump_probability = jump_probability
        self._seed = seed
        self.batch_size = min(batch_size, len(stream) // chunk_length)
        self._bounds = np.append(np.flatnonzero(stream == MARK_ID), len(stream))
        self._starts, self._ends = _pieces_of(self._bounds, -(-len(stream) // self.batch_size))
        nowhere = np.zeros(self.batch_size, np.int64)
        self.cursor = Cursor(position=nowhere, end=nowhere, taken=0)
        self._order = (-1, nowhere)
        self._lines = self._bounds[:0] if line_break is None else self._line_starts(line_break)

    def _line_starts(self, line_break: int) -> NDArray[np.int64]:
        """Positions of the characters before all lines."""
        begins = self._stream == line_break
        begins[self._bounds[:-1]] = True  # in place: a copy has a byte for each character
        return np.flatnonzero(begins)

    def next(self, step: int, *, jump: bool = False) -> Batch:
        """Advance every stream by one chunk.

        Args:
            step: number of the chunk; the jumps depend on nothing else.
            jump: whether streams may jump.
        """
        position, end = self.cursor.position.copy(), self.cursor.end.copy()
        jumping = self._jump(step, position, end) if jump else np.zeros(len(end), bool)
        fresh = position >= end
        count, taken = int(fresh.sum()), self.cursor.taken
        position[fresh], end[fresh] = self._pieces(taken, count)
        self.cursor = Cursor(
            position=np.minimum(position + self._chunk_length, end), end=end, taken=taken + count
        )
        return Batch(
            text=self._stream,
            length=self._chunk_length,
            position=position,
            end=end,
            carried=torch.from_numpy(~(fresh | jumping)),
            characters=int((self.cursor.position - position).sum()),
        )

    def _jump(
        self, step: int, position: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        generator = np.random.default_rng([self._seed, _JUMPS, step])
        jumping = generator.random(len(position)) < self._jump_probability
        places = generator.integers(len(self._stream), size=len(position))
        if len(self._lines):
            lines = self._lines[np.searchsorted(self._lines, places, side="right") - 1]
            places = np.where(places - lines < _LINE, lines, places)
        position[jumping] = places[jumping]
        next_bounds = np.searchsorted(self._bounds, places[jumping], side="right")
        end[jumping] = self._bounds[next_bounds]
        return jumping

    def _pieces(self, taken: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts and ends of the next pieces, each (count,)."""
        epochs, places = np.divmod(np.arange(taken, taken + count), len(self._starts))
        pieces = np.zeros(count, np.int64)
        for epoch in range(taken // len(self._starts), int(epochs.max(initial=-1)) + 1):
            within = epochs == epoch
            pieces[within] = self._order_of(epoch)[places[within]]
        return self._starts[pieces], self._ends[pieces]

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            generator = np.random.default_rng([self._seed, _ORDER, epoch])
            self._order = (epoch, generator.permutation(len(self._starts)))
        return self._order[1]


def _pieces_of(
    bounds: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the pieces, each (P,); no piece is longer than `longest`."""
    lengths = np.diff(bounds)
    parts = -(-lengths // longest)
    first = np.repeat(np.cumsum(parts) - parts, parts)
    part = np.arange(parts.sum()) - first
    starts = np.repeat(bounds[:-1], parts) + part * np.repeat(lengths, parts) // np.repeat(
        parts, parts
    )
    return starts, np.append(starts[1:], bounds[-1])
