"""A snapshot in parts, listed in parallel: one part a repository, if the source has several.

The task of a worker holds the parts that its files are in and no others, so it stays small however
many repositories there are. The result is that of one snapshot: parts are listed in their order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from corpora.build.metadata_filters import first_drop, metadata_rules
from corpora.chunking import grouped
from corpora.document import Divisible, Entry, Outcome, Snapshot
from corpora.licenses.repositories import Licensed, speaks_about_licenses, with_licenses
from corpora.spec import CorpusSpec
from system.pool import Pool

LISTED_AT_ONCE = 16
"""Parts that one task lists. It takes some ten milliseconds for each, mostly starting git."""
WHOLE = "*"
"""The only part of a snapshot that is not divisible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a snapshot, or some of them, by the source of their entries."""

    by_source: Mapping[str, Snapshot]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Parts":
        """All parts of a snapshot."""
        whole = not isinstance(snapshot, Divisible)
        return cls(by_source={WHOLE: snapshot} if whole else snapshot.parts())

    def entries(self) -> Iterator[Entry]:
        """List the files, part by part."""
        for part in self.by_source.values():
            yield from part.entries()

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """Read the content of these entries, in the given order."""
        for name, group in groupby(entries, self.name_of):
            yield from self.by_source[name].read(group)

    def around(self, entries: Iterable[Entry]) -> "Parts":
        """The parts that these entries are in."""
        names = dict.fromkeys(map(self.name_of, entries))
        return Parts(by_source={name: self.by_source[name] for name in names})

    def groups(self) -> "Iterator[Parts]":
        """All parts, a few at a time."""
        for names in grouped(list(self.by_source), LISTED_AT_ONCE, lambda _: 1):
            yield Parts(by_source={name: self.by_source[name] for name in names})

    def name_of(self, entry: Entry) -> str:
        """The part that an entry is in."""
        return WHOLE if WHOLE in self.by_source else entry.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files of some parts: those that no rule on metadata drops, and the others.

    Attributes:
        speaking: files of both kinds that speak about the licences of others.
    """

    passed: Sequence[Entry]
    dropped: Sequence[Outcome]
    speaking: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Some parts; by part, the files that need a licence, and those that speak about licences."""

    parts: Parts
    entries: Mapping[str, Sequence[Entry]]
    speaking: Mapping[str, Sequence[Entry]]


def listings(parts: Parts, spec: CorpusSpec, pool: Pool) -> Iterator[Listing]:
    """List all parts, a few of them at a time, in their order."""
    return pool.in_order(partial(_listing, spec), parts.groups())


def _listing(spec: CorpusSpec, parts: Parts) -> Listing:
    rules = metadata_rules(spec)
    passed: list[Entry] = []
    dropped: list[Outcome] = []
    speaking: list[Entry] = []
    for entry in parts.entries():
        if speaks_about_licenses(entry):
            speaking.append(entry)
        drop = first_drop(rules, entry)
        if drop is None:
            passed.append(entry)
        else:
            dropped.append(Outcome(entry=entry, reason=drop[0], detail=drop[1]))
    return Listing(passed=passed, dropped=dropped, speaking=speaking)


def licensed(
    parts: Parts, wanted: Iterable[Entry], speaking: Iterable[Entry], pool: Pool
) -> Licensed:
    """Add to entries, in the order of the parts, the licences of their sources.

    Args:
        speaking: the files of all parts that speak about licences, in the order of the parts.
    """
    entries: list[Entry] = []
    notes: dict[str, Sequence[str]] = {}
    for found in pool.in_order(_licensed, _wanted(parts, wanted, speaking)):
        for name, one in found.items():
            entries += one.entries
            notes[name] = one.notes
    return Licensed(entries=entries, notes=[note for name in sorted(notes) for note in notes[name]])


def _wanted(parts: Parts, wanted: Iterable[Entry], speaking: Iterable[Entry]) -> Iterator[_Wanted]:
    wanted_in = {name: list(group) for name, group in groupby(wanted, parts.name_of)}
    speaking_in = {name: list(group) for name, group in groupby(speaking, parts.name_of)}
    for group in parts.groups():
        yield _Wanted(
            parts=group,
            entries={name: wanted_in.get(name, ()) for name in group.by_source},
            speaking={name: speaking_in.get(name, ()) for name in group.by_source},
        )


def _licensed(wanted: _Wanted) -> dict[str, Licensed]:
    return {
        name: with_licenses(part, wanted.entries[name], wanted.speaking[name])
        for name, part in wanted.parts.by_source.items()
    }
