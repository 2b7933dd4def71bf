"""Chunks for truncated backpropagation through time, with the state that each one starts from.

B streams read the corpus side by side, T characters at a time, and the hidden state goes on from
chunk to chunk (Williams & Peng 1990). The corpus is cut into pieces: its documents, and equal
parts of the documents longer than 1/B of it. A stream that has read its piece takes the next one
of an order shuffled anew for every epoch, so an epoch trains every character exactly once.

A document is trained as it is scored: its start mark comes with zero state. A piece therefore
begins with its own chunk, and the rest of the chunk that ended the previous one is computed in
vain: T/2 characters a document on average, 0.2 % of the work for files of 10,000 characters and
T = 32, a quarter for comments of 50.

All randomness is a function of (seed, epoch) or (seed, step): there is no generator to save.

Shapes: B streams, T characters a chunk, N characters in the corpus, P pieces.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modeling.vocab import MARK_ID, Ids

IGNORED = -100
"""Target of a position that is not trained; torch's `cross_entropy` skips it."""

_ORDER, _JUMPS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One chunk of every stream.

    Attributes:
        ids: inputs, (B, T) int64.
        targets: the character after each input, (B, T) int64, or IGNORED.
        carried: whether the stream goes on where its last chunk ended, (B,) bool; where not, its
            state is zero.
        characters: number of targets that are not IGNORED.
    """

    ids: Tensor
    targets: Tensor
    carried: Tensor
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where the streams stand: all that `Batches` remembers between two chunks.

    Attributes:
        position: next input of every stream, (B,) int64.
        end: where its piece ends, (B,) int64.
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
        seed: int = 0,
    ) -> None:
        """Lay the streams out.

        Args:
            stream: all documents, each with its mark in front, (N,) uint16; may be a memmap.
            batch_size: B; lowered on a corpus of fewer than B * T characters.
            chunk_length: T.
            jump_probability: of a jump to a random place, per stream and chunk that allows it.
            seed: of the order of pieces and of the jumps.

        Raises:
            ValueError: there is less than one chunk of text.
        """
        if len(stream) < chunk_length:
            raise ValueError(
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
        self._starts, self._ends = _pieces(self._bounds, -(-len(stream) // self.batch_size))
        nowhere = np.zeros(self.batch_size, np.int64)
        self.cursor = Cursor(position=nowhere, end=nowhere, taken=0)
        self._order = (-1, nowhere)

    def next(self, step: int, *, jump: bool = False) -> Batch:
        """Advance every stream by one chunk.

        Args:
            step: number of the chunk; it alone decides the jumps.
            jump: whether streams may jump.
        """
        position, end = self.cursor.position.copy(), self.cursor.end.copy()
        jumping = self._jump(step, position, end) if jump else np.zeros(len(end), bool)
        fresh = position >= end
        taken = self.cursor.taken
        for row in np.flatnonzero(fresh):
            position[row], end[row] = self._piece(taken)
            taken += 1
        places = position[:, None] + np.arange(self._chunk_length)
        inside = places < end[:, None]
        ids = self._stream[places % len(self._stream)]
        after = self._stream[(places + 1) % len(self._stream)]
        self.cursor = Cursor(
            position=np.minimum(position + self._chunk_length, end), end=end, taken=taken
        )
        return Batch(
            ids=torch.from_numpy(ids.astype(np.int64)),
            targets=torch.from_numpy(np.where(inside, after.astype(np.int64), IGNORED)),
            carried=torch.from_numpy(~(fresh | jumping)),
            characters=int(inside.sum()),
        )

    def _jump(
        self, step: int, position: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        generator = np.random.default_rng([self._seed, _JUMPS, step])
        jumping = generator.random(len(position)) < self._jump_probability
        places = generator.integers(len(self._stream), size=len(position))
        position[jumping] = places[jumping]
        end[jumping] = self._bounds[np.searchsorted(self._bounds, places, side="right")][jumping]
        return jumping

    def _piece(self, taken: int) -> tuple[int, int]:
        epoch, place = divmod(taken, len(self._starts))
        if self._order[0] != epoch:
            generator = np.random.default_rng([self._seed, _ORDER, epoch])
            self._order = (epoch, generator.permutation(len(self._starts)))
        piece = self._order[1][place]
        return int(self._starts[piece]), int(self._ends[piece])


def _pieces(bounds: NDArray[np.int64], longest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the pieces, each (P,): no piece is longer than `longest`."""
    lengths = np.diff(bounds)
    parts = -(-lengths // longest)
    first = np.repeat(np.cumsum(parts) - parts, parts)
    part = np.arange(parts.sum()) - first
    starts = np.repeat(bounds[:-1], parts) + part * np.repeat(lengths, parts) // np.repeat(
        parts, parts
    )
    return starts, np.append(starts[1:], bounds[-1])
