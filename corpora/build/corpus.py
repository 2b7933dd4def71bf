"""Build a corpus from a snapshot: two passes over the files, never all texts in memory at once.

Rules on metadata come first. Every remaining file is then read, judged by its content and given a
signature (first pass, in several processes if that pays). From a few hundred bytes a file, copies
and near-copies are found and the split is decided. Then the kept files are read again and written
in shards (second pass). The same snapshot and spec give the same bytes on every machine.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from corpora.build.compare import first_twins
from corpora.build.examine import Collected, FileBatch, examine, read_again
from corpora.build.metadata_filters import first_drop, metadata_rules
from corpora.build.shards import SHARD_BYTES, Shard, count, shards, write
from corpora.build.sides import Arrangement, arranged
from corpora.build.subsample import NOT_SAMPLED, sampled
from corpora.build.totals import Totals, WrittenShard
from corpora.chunking import grouped
from corpora.corpus.parquet import (
    LEDGER,
    LEDGER_SCHEMA,
    RowWriter,
    ledger_row,
    write_character_counts,
)
from corpora.dedup.characters import Profiles, Runs, sketched
from corpora.dedup.clusters import COMPARED_CHARACTERS, Twin
from corpora.dedup.decontaminate import Decisions, decide
from corpora.dedup.minhash import Hashes, Signatures, shingles
from corpora.document import Entry, Outcome, Snapshot, Split
from corpora.errors import CorpusError
from corpora.licenses.repositories import with_licenses
from corpora.spec import CorpusSpec
from system.pool import in_order, processors
from system.progress import Progress

LEDGER_ROW_BYTES = 400
NOTHING_FROZEN: Mapping[str, Split] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSizes:
    """How much a build handles at a time. Only `shard_bytes` shows in the result.

    Attributes:
        batch_bytes: files examined as one task.
        parallel_bytes: below this much text, starting processes costs more than it saves.
        shard_bytes: files written to one shard.
        compared_characters: text whose shingles are compared at a time.
    """

    batch_bytes: int = 16 * 2**20
    parallel_bytes: int = 64 * 2**20
    shard_bytes: int = SHARD_BYTES
    compared_characters: int = COMPARED_CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """What every step of a build needs to know."""

    snapshot: Snapshot
    spec: CorpusSpec
    frozen: Mapping[str, Split]
    sizes: BuildSizes


def build_corpus(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    *,
    frozen: Mapping[str, Split] = NOTHING_FROZEN,
    workers: int | None = None,
    sizes: BuildSizes = BuildSizes(),
) -> Iterator[Progress]:
    """Write the corpus of `snapshot` into `directory`, yielding progress.

    Args:
        frozen: digest to split, of documents that must keep their split.
        workers: processes; None uses all processors if there is enough to do.

    Raises:
        CorpusError: if a split would be empty.
    """
    build = _Build(snapshot=snapshot, spec=spec, frozen=frozen, sizes=sizes)
    totals = Totals()
    yield from _fill(build, directory, totals, write, workers)
    totals.check(spec)
    write_character_counts(directory, totals.character_counts())
    totals.summary(spec).save(directory)


def judge_corpus(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    *,
    frozen: Mapping[str, Split] = NOTHING_FROZEN,
    workers: int | None = None,
    sizes: BuildSizes = BuildSizes(),
) -> Generator[Progress, None, str]:
    """Write only the ledger and the summary of a corpus, the same bytes as `build_corpus`.

    Returns:
        Why `build_corpus` would refuse to make the corpus, "" if it would not.
    """
    build = _Build(snapshot=snapshot, spec=spec, frozen=frozen, sizes=sizes)
    totals = Totals()
    yield from _fill(build, directory, totals, count, workers)
    totals.summary(spec).save(directory)
    try:
        totals.check(spec)
    except CorpusError as error:
        return str(error)
    return ""


def _fill(
    build: _Build,
    directory: Path,
    totals: Totals,
    finish: Callable[[Shard], WrittenShard],
    workers: int | None,
) -> Iterator[Progress]:
    """Decide about every file, write the ledger, and finish every shard of what is kept."""
    with RowWriter(directory / LEDGER, LEDGER_SCHEMA) as ledger:
        record = _recorder(totals, ledger)
        licensed = with_licenses(build.snapshot, _filtered(build, record))
        entries, totals.license_notes = licensed.entries, licensed.notes
        text_bytes = sum(entry.size for entry in entries)
        workers = workers or (processors() if text_bytes >= build.sizes.parallel_bytes else 1)
        examined = yield from _examined(build, entries, workers)
        steps = 2 * len(entries)
        del licensed, entries  # the outcomes have entries of their own
        arrangement = _arrangement(build, examined, workers)
        del examined
        decisions, kept = arrangement.decisions, arrangement.kept
        for outcome in decisions.outcomes:
            record(outcome)
    totals.leak_before, totals.leak_after = decisions.leak_before, decisions.leak_after
    note = "written" if finish is write else "counted"
    for shard in in_order(finish, _shards(build, arrangement, directory), workers=workers):
        totals.add_documents(shard)
        done = steps - len(kept) + totals.files_written
        yield Progress(done=done, total=steps, unit="files", note=note)


def _recorder(totals: Totals, ledger: RowWriter) -> Callable[[Outcome], None]:
    """A function that counts an outcome and writes its row of the ledger."""

    def record(outcome: Outcome) -> None:
        totals.add(outcome)
        ledger.write(ledger_row(outcome), LEDGER_ROW_BYTES)

    return record


def _shards(build: _Build, arrangement: Arrangement, directory: Path) -> Iterator[Shard]:
    size = build.sizes.shard_bytes
    return shards(arrangement, build.snapshot, build.spec, directory, shard_bytes=size)


def _filtered(build: _Build, record: Callable[[Outcome], None]) -> list[Entry]:
    """The entries that no rule on metadata drops; the others are recorded."""
    rules = metadata_rules(build.spec)
    passed = []
    for entry in build.snapshot.entries():
        dropped = first_drop(rules, entry)
        if dropped is None:
            passed.append(entry)
        else:
            record(Outcome(entry=entry, reason=dropped[0], detail=dropped[1]))
    chosen = []
    for entry, is_sampled in zip(passed, sampled(passed, build.spec.sample_bytes), strict=True):
        if is_sampled:
            chosen.append(entry)
        else:
            record(Outcome(entry=entry, reason=NOT_SAMPLED))
    return chosen


def _examined(
    build: _Build, entries: Sequence[Entry], workers: int
) -> Generator[Progress, None, Collected]:
    """The first pass: judge every file and compute its traces, in order."""
    collected = Collected(len(entries))
    for batch in in_order(examine, _batches(build, entries), workers=workers):
        collected.add(batch)
        yield Progress(done=collected.files, total=2 * len(entries), unit="files", note="examined")
    return collected


def _batches(build: _Build, entries: Sequence[Entry]) -> Iterator[FileBatch]:
    for group in grouped(entries, build.sizes.batch_bytes, lambda entry: entry.size):
        yield FileBatch(snapshot=build.snapshot, entries=group, spec=build.spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """The files that passed the first pass, as finding near-copies among them needs them."""

    build: _Build
    outcomes: Sequence[Outcome]
    signatures: Signatures
    profiles: Profiles
    workers: int

    def shingles(self, positions: Sequence[int]) -> dict[int, Hashes]:
        """The shingles of these files."""
        return dict(zip(positions, map(shingles, self._read(positions)), strict=True))

    def runs(self, positions: Sequence[int]) -> Runs:
        """MinHash of the runs of characters of these files, (len(positions), P)."""
        return sketched(self._read(positions))

    def first_twins(self, others: Mapping[int, Sequence[int]]) -> Iterator[Twin]:
        """For every file the first similar one of its others, if any."""
        snapshot, spec = self.build.snapshot, self.build.spec
        return first_twins(snapshot, spec, self.outcomes, others, workers=self.workers)

    def _read(self, positions: Sequence[int]) -> Iterator[str]:
        wanted = [self.outcomes[position] for position in positions]
        return read_again(self.build.snapshot, wanted, self.build.spec)


def _arrangement(build: _Build, examined: Collected, workers: int) -> Arrangement:
    """Final outcomes: of files that the first pass dropped, then of those that it passed."""
    texts = _Texts(
        build=build,
        outcomes=examined.passed,
        signatures=examined.signatures,
        profiles=examined.profiles,
        workers=workers,
    )

    def decisions(spec: CorpusSpec, frozen: Mapping[str, Split]) -> Decisions:
        size = build.sizes.compared_characters
        made = decide(texts, spec, frozen, compared_characters=size)
        return replace(made, outcomes=[*examined.dropped, *made.outcomes])

    return arranged(decisions, build.snapshot, build.spec, build.frozen)
