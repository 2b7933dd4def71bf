"""The texts among which near-copies are searched, and the last check, character by character.

Texts are read again for it, those that may have to go a few at a time, the others one by one, so
memory does not grow with the corpus.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpora.build.examine import read_again
from corpora.build.parts import Parts
from corpora.chunking import grouped
from corpora.dedup.characters import Profiles, Runs, similarity, sketched
from corpora.dedup.clusters import Twin
from corpora.dedup.minhash import Hashes, Numbers, Signatures, shingles
from corpora.document import Outcome, Snapshot
from corpora.spec import CorpusSpec
from system.pool import Pool

COMPARED_CHARACTERS = 4 * 2**20
"""Characters of text that one task holds in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Some texts, and for each those that it is compared with.

    Attributes:
        outcomes: of all texts, by position.
        others: positions of others for that of each text.
    """

    snapshot: Snapshot
    spec: CorpusSpec
    outcomes: Mapping[int, Outcome]
    others: Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableTexts:
    """The files that passed the first pass, as finding near-copies among them needs them.

    Attributes:
        outcomes: of these files, by position.
        signatures: MinHash of their shingles, (N, P).
        profiles: of their characters.
    """

    snapshot: Parts
    spec: CorpusSpec
    outcomes: Sequence[Outcome]
    signatures: Signatures
    profiles: Profiles
    pool: Pool

    def shingles(self, positions: Sequence[int]) -> dict[int, Hashes]:
        """The shingles of some files."""
        return dict(zip(positions, map(shingles, self._read(positions)), strict=True))

    def runs(self, positions: Sequence[int]) -> Runs:
        """MinHash of the runs of characters of some files, (len(positions), P)."""
        return sketched(self._read(positions))

    def in_order(
        self, function: Callable[[Signatures], Numbers], bands: Iterable[Signatures]
    ) -> Iterator[Numbers]:
        """Apply a function to every band of the signatures, in the workers."""
        return self.pool.in_order(function, bands)

    def first_twins(self, others: Mapping[int, Sequence[int]]) -> Iterator[Twin]:
        """For every file the first similar one of its others, if any."""
        groups = grouped(sorted(others), COMPARED_CHARACTERS, self._size)
        tasks = (self._comparison(group, others) for group in groups)
        for found in self.pool.in_order(compare, tasks):
            yield from found

    def _comparison(self, group: Sequence[int], others: Mapping[int, Sequence[int]]) -> Comparison:
        compared = {n: self.outcomes[n] for each in group for n in (each, *others[each])}
        return Comparison(
            snapshot=self.snapshot.around(outcome.entry for outcome in compared.values()),
            spec=self.spec,
            outcomes=compared,
            others={each: others[each] for each in group},
        )

    def _size(self, position: int) -> int:
        return self.outcomes[position].characters or 0

    def _read(self, positions: Sequence[int]) -> Iterator[str]:
        return read_again(self.snapshot, [self.outcomes[each] for each in positions], self.spec)


def compare(task: Comparison) -> list[Twin]:
    """Compare the texts of a task with their others, each until one is similar."""
    texts = dict(zip(task.others, _texts(task, list(task.others)), strict=True))
    asking: dict[int, list[int]] = {}
    for position, others in task.others.items():
        for other in others:
            asking.setdefault(other, []).append(position)
    found: list[Twin] = []
    order = sorted(asking)
    for other, text in zip(order, _texts(task, order), strict=True):
        for position in asking[other]:
            if position in texts:
                alike = similarity(texts[position], text)
                if alike:
                    found.append(Twin(position=position, other=other, similarity=alike))
                    del texts[position]
    return found


def _texts(task: Comparison, positions: Sequence[int]) -> Iterator[str]:
    return read_again(task.snapshot, [task.outcomes[each] for each in positions], task.spec)
