"""Which spans of a sample occur verbatim in the training text, and in which file.

Exact: every maximal span is found, and nothing else, if at least one of its whole blocks occurs at
most MAX_PLACES times in the training text. Tables of zeros, rules of dashes and the like consist of
blocks that occur more often; of these only the first MAX_PLACES places are searched, so a span may
be cut where the sample repeats more than any of them. The training text is cut into blocks of 25
characters; a span of 50 contains at least one whole block, wherever it begins. Blocks shared by
text and sample form chains, and a chain is extended character by character at both ends.

A block of blanks would occur in every deep indentation. A span whose whole blocks are all blank has
less than a block on either side of them, so at least 6 of its 30 characters that are not blank
follow them: the index holds the block that ends there instead.

A sample that repeats itself contains the same block in the same context many times. Only the first
of these is extended; where its copies end within the context, they are shifted to the others.

Cost: about 15 bytes per character for the index. The time for a sample is proportional to the
number of places where its blocks occur in the training text: about 20 ms for 10,000 characters of
code, half a second at most.
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
"""Characters on either side of a block that make up its context."""
MIN_REPEATS = 8
"""Occurrences of a block in the same context from which only the first one is extended."""
MAX_PLACES = 32
"""Places of one block in the training text that are searched. Without a limit, a sample that loops
through a table of zeros, in a corpus full of such tables, took 26 s and 2.2 GB."""
AFTER_BLANKS = MIN_NOT_BLANK - (BLOCK - 1)
"""Fewest characters that are not blank on either side of the blanks."""
HEADER_FILES = 10
"""Files that must share their first lines before those count as a licence header."""
NO_CHARACTER = 0x110000
"""Sentinel around a sample; equal to no character of the training text."""
_OFFSET_BITS = 31
_NOT_BLANK = re.compile(r"\S")

Places = NDArray[np.int64]
Points = NDArray[np.uint32]
NONE: Places = np.zeros(0, np.int64)
Spans = tuple[Places, Places, Places]
"""Start and end in the sample, and place in the training text, of each span."""


class CopyIndex:
    """An index of the training text that finds copied spans.

    Licence headers are left out: the lines of a file before its first blank line, if many files
    share them.

    Args:
        texts: the training documents.
        labels: path and licence of each.
        header_files: number of files that must share a header for it to be left out.
        min_repeats: occurrences of a block in one context from which only the first is extended;
            it changes the time, never the result.
        max_places: places of one block that are searched.
    """

    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[tuple[str, str | None]],
        *,
        header_files: int = HEADER_FILES,
        min_repeats: int = MIN_REPEATS,
        max_places: int = MAX_PLACES,
    ) -> None:
        assert len(texts) == len(labels)
        bodies = _without_headers(texts, header_files)
        joined = FILE_MARK.join(["", *bodies, ""])
        self._labels = labels
        self._min_repeats = min_repeats
        self._max_places = max_places
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
        """Find all maximal copied spans of a sample, ordered by start; they may overlap.

        A span has at least MIN_LENGTH characters, MIN_NOT_BLANK of them not blank, lies in one
        training document and cannot be extended on either side. It names the first document that
        contains it. No span crosses a file mark of the sample.
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
        """Every span of at least MIN_LENGTH that cannot be extended; some lie inside others."""
        starts = range(len(file) - BLOCK + 1)
        blocks = np.array([self._ids.get(file[i : i + BLOCK], -1) for i in starts])
        shared = np.flatnonzero(blocks >= 0)
        groups = _repeated(file, shared, self._min_repeats)
        found, offsets, places = self._copies_of_repeats(points, blocks, groups)
        alone = np.setdiff1d(shared, np.concatenate([NONE, *groups]))
        # A chain advances by whole blocks, so its blocks agree in their offset modulo BLOCK:
        # taken one residue at a time, a sample of common blocks needs a fraction of the memory.
        parts = [found]
        for residue in range(BLOCK):
            in_sample, in_text = self._places_of(blocks, alone[alone % BLOCK == residue])
            chosen = offsets % BLOCK == residue
            pairs = np.append(in_sample, offsets[chosen]), np.append(in_text, places[chosen])
            parts.append(self._copies_of_chains(points, *pairs))
        return parts

    def _copies_of_repeats(
        self, points: Points, blocks: Places, groups: Sequence[Places]
    ) -> tuple[Spans, Places, Places]:
        """Extend the first block of every group, and shift its spans to the rest of the group.

        Returns:
            The spans that end within the context, and the offset in the sample and place in the
            text of every pair of blocks whose span does not.
        """
        firsts = np.array([group[0] for group in groups], np.int64)
        offsets, places = self._places_of(blocks, firsts)
        left = self._agreeing(points, offsets - 1, places - 1, -1, CONTEXT)
        right = self._agreeing(points, offsets + BLOCK, places + BLOCK, 1, CONTEXT)
        is_open = (left == CONTEXT) | (right == CONTEXT)
        kept = ~is_open & (left + BLOCK + right >= MIN_LENGTH)
        spans: list[Spans] = [(NONE, NONE, NONE)]
        open_pairs: list[tuple[Places, Places]] = [(NONE, NONE)]
        edges = np.searchsorted(offsets, np.append(firsts, len(blocks))).tolist()
        for group, begin, end in zip(groups, edges, edges[1:], strict=False):
            rows = np.arange(begin, end)
            closed, far = rows[kept[rows]], rows[is_open[rows]]
            starts, ends, origins = _longest(
                offsets[closed] - left[closed],
                offsets[closed] + BLOCK + right[closed],
                places[closed] - left[closed],
            )
            shifts = (group - group[0])[:, None]
            spans.append(
                ((shifts + starts).ravel(), (shifts + ends).ravel(), np.tile(origins, len(group)))
            )
            open_pairs.append((np.repeat(group, len(far)), np.tile(places[far], len(group))))
        starts, ends, origins = np.concatenate(spans, axis=1)
        return (starts, ends, origins), *np.concatenate(open_pairs, axis=1)

    def _copies_of_chains(self, points: Points, offsets: Places, places: Places) -> Spans:
        """Extend every chain of these blocks; keep those that are long enough."""
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
        """Offset in the sample and place in the text, for every occurrence of the blocks there."""
        begins = self._begins[blocks[offsets]]
        times = np.minimum(self._begins[blocks[offsets] + 1] - begins, self._max_places)
        return np.repeat(offsets, times), self._places[_ranges(begins, times)]

    def _agreeing(
        self, points: Points, offsets: Places, places: Places, step: int, at_most: int | None = None
    ) -> Places:
        """Count the characters that sample and text share from there, in steps of 1 or -1.

        NO_CHARACTER ends every count: it is the last item of the sample, and so its item -1 too.
        """
        agreeing = np.zeros(len(offsets), np.int64)
        alive = np.arange(len(offsets))
        while len(alive) and agreeing[alive[0]] != at_most:
            reach = step * agreeing[alive]
            same = points[offsets[alive] + reach] == self._points[places[alive] + reach]
            alive = alive[same]
            agreeing[alive] += 1
        return agreeing


def covering(spans: Sequence[CopiedSpan]) -> list[CopiedSpan]:
    """The fewest of these spans, ordered by start, that cover the same characters.

    A sample that repeats one line of the training text has a span at every offset.
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
    """Summarise the spans that `CopyIndex.spans` found; an empty sample gives empty tallies.

    Returns:
        copied_fraction_50: characters inside the spans, out of all characters but file marks.
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
    # The first paragraph, if another one follows: what has one paragraph is no header.
    headers = [head if rest else "" for head, rest, _ in (t.partition("\n\n") for t in texts)]
    files = Counter(headers)
    return [
        text[len(header) :] if files[header] >= header_files else text
        for text, header in zip(texts, headers, strict=True)
    ]


def _points(text: str) -> Points:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _indexed_places(text: str) -> Iterator[int]:
    """Where the blocks of the index begin in `text`, which ends with a file mark."""
    blank_until = 0
    for place in range(0, len(text) - BLOCK + 1, BLOCK):
        if not text[place : place + BLOCK].isspace():
            yield place
        elif place >= blank_until:
            match = _NOT_BLANK.search(text, place)
            assert match
            blank_until = match.start()
            yield blank_until + AFTER_BLANKS - BLOCK


def _repeated(file: str, offsets: Places, at_least: int) -> list[Places]:
    """Offsets of blocks that occur several times in the same context, in groups by the first."""
    groups: dict[str, list[int]] = defaultdict(list)
    for offset in offsets.tolist():
        if CONTEXT <= offset <= len(file) - BLOCK - CONTEXT:
            groups[file[offset - CONTEXT : offset + BLOCK + CONTEXT]].append(offset)
    return [np.array(group) for group in groups.values() if len(group) >= at_least]


def _ranges(begins: Places, lengths: Places) -> Places:
    """Concatenate the ranges of these beginnings and lengths."""
    firsts = lengths.cumsum() - lengths
    return np.arange(lengths.sum()) + np.repeat(begins - firsts, lengths)


def _by_chain(offsets: Places, places: Places) -> tuple[Places, Places]:
    """Sort shared blocks by diagonal, then by offset; packed into one number, ten times as fast."""
    keys = np.sort((places - offsets) << _OFFSET_BITS | offsets)
    offsets = keys & ((1 << _OFFSET_BITS) - 1)
    return offsets, (keys >> _OFFSET_BITS) + offsets


def _longest(starts: Places, ends: Places, places: Places) -> Spans:
    """Keep the spans that lie in no other, ordered by start; of equal spans the first in text."""
    order = np.lexsort((places, -ends, starts))
    starts, ends, places = starts[order], ends[order], places[order]
    reached = np.maximum.accumulate(np.append(0, ends))[: len(ends)]
    kept = ends > reached
    return starts[kept], ends[kept], places[kept]
