"""Which spans of a sample stand verbatim in the training text, and in which file.

Exact: every longest span is found and none is invented. The training text is cut into blocks of
25 characters; a span of 50 holds at least one of them whole, wherever it begins. Blocks that text
and sample share form chains, and a chain is extended character by character at its two ends.

A block of blanks would stand in every deep indentation. A span whose whole blocks are all blank has
less than a block beyond them at either end, so of its 30 characters that are not blank at least
6 stand behind them: the index holds the block that reaches so far instead.

A sample that repeats itself holds the same block, in the same surroundings, again and again. One
such block of each kind is extended for all of them where its copies end within the surroundings.

The price: about 15 bytes a character for the index. A sample takes time in proportion to the
places its blocks have in the training text: some 20 ms for 10,000 characters.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.results import CopiedSpan, Tally
from modeling.vocab import FILE_MARK

MIN_LENGTH = 50
MIN_NOT_BLANK = 30
BLOCK = MIN_LENGTH // 2
CONTEXT = 4 * BLOCK
"""Characters on either side of a block that make up its surroundings."""
MIN_ALIKE = 8
"""Blocks of a sample that must be alike before one of them is extended for all."""
BEHIND_BLANKS = MIN_NOT_BLANK - (BLOCK - 1)
"""Characters that are not blank on either side of the blanks, at least."""
HEADER_FILES = 10
"""Files that must begin alike before their beginning counts as a licence header."""
NO_CHARACTER = 0x110000
"""Stands around a sample; equal to nothing in the training text."""
_OFFSET_BITS = 31
_NOT_BLANK = re.compile(r"\S")

Places = NDArray[np.int64]
Points = NDArray[np.uint32]
NONE: Places = np.zeros(0, np.int64)
Spans = tuple[Places, Places, Places]
"""Start and end in the sample, and place in the training text, of each span."""


class CopyIndex:
    """An index of the training text that finds copied spans.

    Licence headers are left out: the beginning of a file up to its first blank line, where many
    files have the same.

    Args:
        texts: the training documents.
        labels: path and licence of each.
        header_files: how many files must share a beginning for it to be left out.
    """

    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[tuple[str, str | None]],
        *,
        header_files: int = HEADER_FILES,
    ) -> None:
        assert len(texts) == len(labels)
        bodies = _without_headers(texts, header_files)
        joined = FILE_MARK.join(["", *bodies, ""])
        self._labels = labels
        self._document_ends = np.cumsum([len(body) + 1 for body in bodies])
        self._points = _points(joined)
        self._ids: dict[str, int] = {}
        places = list(_indexed_places(joined))
        blocks = np.array(
            [self._ids.setdefault(joined[p : p + BLOCK], len(self._ids)) for p in places], np.int64
        )
        self._places = np.array(places, np.int64)[np.argsort(blocks, kind="stable")]
        self._begins = np.append(0, np.bincount(blocks, minlength=1).cumsum())

    def spans(self, sample: str) -> list[CopiedSpan]:
        """Find all longest copied spans of a sample, by start; neighbours may overlap.

        A span has at least MIN_LENGTH characters, MIN_NOT_BLANK of them not blank, stands in one
        training document and can not be longer to either side. It names the first document that
        holds it. None reaches over a file mark of the sample.
        """
        found: list[CopiedSpan] = []
        begin = 0
        for file in sample.split(FILE_MARK):
            if len("".join(file.split())) >= MIN_NOT_BLANK:
                found += self._spans_of_file(file, begin)
            begin += len(file) + 1
        return found

    def _spans_of_file(self, file: str, begin: int) -> Iterator[CopiedSpan]:
        points = np.append(_points(file), np.uint32(NO_CHARACTER))
        starts, ends, places = _longest(*np.concatenate(self._copies(file, points), axis=1))
        not_blank = np.cumsum([0, *(not character.isspace() for character in file)])
        kept = not_blank[ends] - not_blank[starts] >= MIN_NOT_BLANK
        documents = np.searchsorted(self._document_ends, places[kept], side="left").tolist()
        edges = (begin + starts[kept]).tolist(), (begin + ends[kept]).tolist()
        for start, end, document in zip(*edges, documents, strict=True):
            path, license_ = self._labels[document]
            yield CopiedSpan(start=start, end=end, path=path, license=license_)

    def _copies(self, file: str, points: Points) -> list[Spans]:
        """Every span of MIN_LENGTH at least that can not be longer, many of them inside others."""
        starts = range(len(file) - BLOCK + 1)
        blocks = np.array([self._ids.get(file[i : i + BLOCK], -1) for i in starts])
        shared = np.flatnonzero(blocks >= 0)
        alike = _alike(file, shared)
        found, offsets, places = self._copies_of_alike(points, blocks, alike)
        alone = np.setdiff1d(shared, np.concatenate([NONE, *alike]))
        # A chain advances by whole blocks, so its blocks agree in their offset modulo BLOCK:
        # taken one residue at a time, a sample of common blocks needs a fraction of the memory.
        parts = [found]
        for residue in range(BLOCK):
            which, more = self._places_of(blocks, alone[alone % BLOCK == residue])
            chosen = offsets % BLOCK == residue
            pairs = np.append(which, offsets[chosen]), np.append(more, places[chosen])
            parts.append(self._copies_of_chains(points, *pairs))
        return parts

    def _copies_of_alike(
        self, points: Points, blocks: Places, alike: Sequence[Places]
    ) -> tuple[Spans, Places, Places]:
        """Extend the first block of every group for all of its group.

        Returns:
            The spans, and offset and place of all pairs that agree beyond the surroundings.
        """
        sizes = np.array([len(group) for group in alike], np.int64)
        members = np.concatenate([NONE, *alike])
        begins = sizes.cumsum() - sizes
        firsts, places = self._places_of(blocks, members[begins])
        groups = np.searchsorted(members[begins], firsts)
        left = self._agreeing(points, firsts - 1, places - 1, -1, CONTEXT)
        right = self._agreeing(points, firsts + BLOCK, places + BLOCK, 1, CONTEXT)
        is_open = (left == CONTEXT) | (right == CONTEXT)
        kept = ~is_open & (left + BLOCK + right >= MIN_LENGTH)
        # Far from each other, so that no span lies in one of another group.
        middles = groups * (4 * CONTEXT) + CONTEXT
        starts, ends, origins = _longest(
            *(each[kept] for each in (middles - left, middles + BLOCK + right, places - left))
        )
        owners = starts // (4 * CONTEXT)
        shifts = _ranges(begins[owners], sizes[owners])
        by = members[shifts] - np.repeat(owners * (4 * CONTEXT) + CONTEXT, sizes[owners])
        spans = tuple(np.repeat(each, sizes[owners]) for each in (starts, ends, origins))
        again = groups[is_open]
        return (
            (spans[0] + by, spans[1] + by, spans[2]),
            members[_ranges(begins[again], sizes[again])],
            np.repeat(places[is_open], sizes[again]),
        )

    def _copies_of_chains(self, points: Points, offsets: Places, places: Places) -> Spans:
        """Extend every chain of these blocks; keep those long enough."""
        offsets, places = _by_chain(offsets, places)
        follows = (np.diff(offsets) == BLOCK) & (np.diff(places) == BLOCK)
        firsts = np.flatnonzero(np.append(True, ~follows)[: len(offsets)])
        lasts = np.flatnonzero(np.append(~follows, True)[: len(offsets)])
        left = self._agreeing(points, offsets[firsts] - 1, places[firsts] - 1, -1)
        right = self._agreeing(points, offsets[lasts] + BLOCK, places[lasts] + BLOCK, 1)
        starts, ends = offsets[firsts] - left, offsets[lasts] + BLOCK + right
        kept = ends - starts >= MIN_LENGTH
        return starts[kept], ends[kept], (places[firsts] - left)[kept]

    def _places_of(self, blocks: Places, offsets: Places) -> tuple[Places, Places]:
        """Offset in the sample and place in the text, for every place of the blocks there."""
        begins = self._begins[blocks[offsets]]
        times = self._begins[blocks[offsets] + 1] - begins
        return np.repeat(offsets, times), self._places[_ranges(begins, times)]

    def _agreeing(
        self, points: Points, offsets: Places, places: Places, step: int, at_most: int | None = None
    ) -> Places:
        """Count the characters from there on, in steps of 1 or -1, that sample and text share.

        NO_CHARACTER, which ends the sample and so is also its item -1, ends every count.
        """
        agreeing = np.zeros(len(offsets), np.int64)
        alive = np.arange(len(offsets))
        while len(alive) and agreeing[alive[0]] != at_most:
            reach = step * agreeing[alive]
            same = points[offsets[alive] + reach] == self._points[places[alive] + reach]
            alive = alive[same]
            agreeing[alive] += 1
        return agreeing


def fewest(spans: Sequence[CopiedSpan]) -> list[CopiedSpan]:
    """Of spans by start, the fewest that hold the same characters.

    A sample that repeats one line of the training text holds a span at every offset.
    """
    chosen: list[CopiedSpan] = []
    reached, best = 0, None
    for span in spans:
        if best and span.start > reached:
            chosen.append(best)
            reached, best = best.end, None
        if span.end > max(reached, best.end if best else 0):
            best = span
    return [*chosen, best] if best else chosen


def copy_tallies(sample: str, spans: Sequence[CopiedSpan]) -> Mapping[str, Tally]:
    """Sum up what `CopyIndex.spans` found in a sample; an empty sample gives empty tallies.

    Returns:
        copied_fraction_50: characters inside the spans, out of all but the file marks.
        longest_copy: characters of the longest span, out of one sample.
    """
    copied, reached = 0, 0
    for span in spans:
        copied += span.end - max(span.start, reached)
        reached = span.end
    characters = len(sample) - sample.count(FILE_MARK)
    longest = max((span.end - span.start for span in spans), default=0)
    return {
        "copied_fraction_50": Tally(copied, characters),
        "longest_copy": Tally(longest, min(characters, 1)),
    }


def _without_headers(texts: Sequence[str], header_files: int) -> list[str]:
    headers = [text.partition("\n\n")[0] for text in texts]
    files = Counter(headers)
    return [
        text[len(header) :] if files[header] >= header_files else text
        for text, header in zip(texts, headers, strict=True)
    ]


def _points(text: str) -> Points:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _indexed_places(text: str) -> Iterator[int]:
    """Where the blocks of the index begin in `text`, which ends in a file mark."""
    blank_until = 0
    for place in range(0, len(text) - BLOCK + 1, BLOCK):
        if not text[place : place + BLOCK].isspace():
            yield place
        elif place >= blank_until:
            match = _NOT_BLANK.search(text, place)
            assert match
            blank_until = match.start()
            yield blank_until + BEHIND_BLANKS - BLOCK


def _alike(file: str, offsets: Places) -> list[Places]:
    """Offsets whose blocks stand in the same surroundings, in groups by the first one."""
    groups: dict[str, list[int]] = defaultdict(list)
    for offset in offsets.tolist():
        if CONTEXT <= offset <= len(file) - BLOCK - CONTEXT:
            groups[file[offset - CONTEXT : offset + BLOCK + CONTEXT]].append(offset)
    return [np.array(group) for group in groups.values() if len(group) >= MIN_ALIKE]


def _ranges(begins: Places, lengths: Places) -> Places:
    """The numbers from each beginning on, as many as its length, one range after another."""
    firsts = lengths.cumsum() - lengths
    return np.arange(lengths.sum()) + np.repeat(begins - firsts, lengths)


def _by_chain(offsets: Places, places: Places) -> tuple[Places, Places]:
    """Sort shared blocks by diagonal, then by offset: one number each sorts ten times as fast."""
    keys = np.sort((places - offsets) << _OFFSET_BITS | offsets)
    offsets = keys & ((1 << _OFFSET_BITS) - 1)
    return offsets, (keys >> _OFFSET_BITS) + offsets


def _longest(starts: Places, ends: Places, places: Places) -> Spans:
    """Keep the spans that lie in no other one, by start; of equal ones the first in the text."""
    order = np.lexsort((places, -ends, starts))
    starts, ends, places = starts[order], ends[order], places[order]
    reached = np.maximum.accumulate(np.append(0, ends))[: len(ends)]
    kept = ends > reached
    return starts[kept], ends[kept], places[kept]
