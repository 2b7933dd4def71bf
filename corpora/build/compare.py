"""Compare texts character by character: which of the possible pairs of near-copies are some.

Texts are read again for it, those that may have to go a few at a time, the others one by one, so
memory does not grow with the corpus.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpora.build.examine import read_again
from corpora.build.parts import Parts
from corpora.chunking import grouped
from corpora.dedup.characters import similarity
from corpora.dedup.clusters import Twin
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


def first_twins(
    snapshot: Parts,
    spec: CorpusSpec,
    outcomes: Sequence[Outcome],
    others: Mapping[int, Sequence[int]],
    *,
    pool: Pool,
) -> Iterator[Twin]:
    """The first similar one of its others, for every text that has one."""

    def size(position: int) -> int:
        return outcomes[position].characters or 0

    def comparison(group: Sequence[int]) -> Comparison:
        compared = {n: outcomes[n] for each in group for n in (each, *others[each])}
        return Comparison(
            snapshot=snapshot.around(outcome.entry for outcome in compared.values()),
            spec=spec,
            outcomes=compared,
            others={each: others[each] for each in group},
        )

    groups = grouped(sorted(others), COMPARED_CHARACTERS, size)
    for found in pool.in_order(compare, map(comparison, groups)):
        yield from found


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
