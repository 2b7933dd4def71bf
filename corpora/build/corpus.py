"""Build a corpus from a snapshot: two passes over the files, never all texts in memory at once.

Rules on metadata come first. Every remaining file is then read, judged by its content and given a
signature (first pass, in several workers if that pays). From a few hundred bytes a file, copies
and near-copies are found and the split is decided. Then the kept files are read again and written
in shards (second pass). The same snapshot and spec give the same bytes on every machine, whatever
the workers. In the folder of a build that was killed, the first pass resumes.
"""

import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from corpora.build.compare import ReadableTexts
from corpora.build.examine import FileBatch
from corpora.build.findings import FOLDER, Collected, Findings, collected, find
from corpora.build.parts import Parts, licensed, listings
from corpora.build.shards import SHARD_BYTES, Shard, count, shards, write
from corpora.build.sides import Arrangement, arranged
from corpora.build.subsample import NOT_SAMPLED, sampled
from corpora.build.totals import Totals, WrittenShard
from corpora.chunking import grouped
from corpora.corpus.parquet import (
    DOCUMENTS,
    LEDGER,
    LEDGER_SCHEMA,
    RowWriter,
    ledger_row,
    write_character_counts,
)
from corpora.dedup.clusters import COMPARED_CHARACTERS
from corpora.dedup.decontaminate import Decisions, decide
from corpora.document import Entry, Outcome, Snapshot, Split
from corpora.errors import CorpusError
from corpora.spec import CorpusSpec
from system.pool import Pool, ProcessPool, processors
from system.progress import Progress

LEDGER_ROW_BYTES = 400
SOURCE_BYTES = 2**20
"""Text that takes about as long to examine as it takes to open one more source, such as a git
repository: five processes of git."""
HERE = ProcessPool(1)
NOTHING_FROZEN: Mapping[str, Split] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSizes:
    """How much a build handles at a time. Only `shard_bytes` shows in the result.

    Attributes:
        batch_bytes: files examined as one task.
        parallel_bytes: below this much text, starting processes costs more than it saves; every
            source counts as a megabyte.
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

    snapshot: Parts
    spec: CorpusSpec
    frozen: Mapping[str, Split]
    sizes: BuildSizes
    folder: Path
    workers: Pool

    def pool(self, sources: int, text_bytes: int = 0) -> Pool:
        """The workers, or this process, if starting them costs more than it saves."""
        is_large = sources * SOURCE_BYTES + text_bytes >= self.sizes.parallel_bytes
        return self.workers if is_large or self.workers.is_running else HERE


def build_corpus(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    *,
    frozen: Mapping[str, Split] = NOTHING_FROZEN,
    workers: int | Pool | None = None,
    sizes: BuildSizes = BuildSizes(),
) -> Iterator[Progress]:
    """Write the corpus of `snapshot` into `directory`, yielding progress.

    Args:
        frozen: digest to split, of documents that must keep their split.
        workers: processes, or workers anywhere that read and write the same folders; None uses all
            processors if there is enough to do.

    Raises:
        CorpusError: if a split would be empty.
    """
    totals = Totals()
    for left in directory.glob(DOCUMENTS):  # by a build that was killed, perhaps an older version
        left.unlink()
    with _prepared(snapshot, spec, directory, frozen, workers, sizes) as build:
        yield from _fill(build, totals, write)
    totals.check(spec)
    write_character_counts(directory, totals.character_counts())
    totals.summary(spec).save(directory)
    shutil.rmtree(directory / FOLDER)


def judge_corpus(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    *,
    frozen: Mapping[str, Split] = NOTHING_FROZEN,
    workers: int | Pool | None = None,
    sizes: BuildSizes = BuildSizes(),
) -> Generator[Progress, None, str]:
    """Write only the ledger and the summary of a corpus, the same bytes as `build_corpus`.

    Returns:
        Why `build_corpus` would refuse to make the corpus, "" if it would not.
    """
    totals = Totals()
    with _prepared(snapshot, spec, directory, frozen, workers, sizes) as build:
        yield from _fill(build, totals, count)
    totals.summary(spec).save(directory)
    shutil.rmtree(directory / FOLDER)
    try:
        totals.check(spec)
    except CorpusError as error:
        return str(error)
    return ""


@contextmanager
def _prepared(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    frozen: Mapping[str, Split],
    workers: int | Pool | None,
    sizes: BuildSizes,
) -> Iterator[_Build]:
    """A build with its workers."""
    if isinstance(workers, int):
        sizes = replace(sizes, parallel_bytes=0)
    with ProcessPool(workers if isinstance(workers, int) else processors()) as processes:
        yield _Build(
            snapshot=Parts.of(snapshot),
            spec=spec,
            frozen=frozen,
            sizes=sizes,
            folder=directory,
            workers=processes if workers is None or isinstance(workers, int) else workers,
        )


def _fill(
    build: _Build, totals: Totals, finish: Callable[[Shard], WrittenShard]
) -> Iterator[Progress]:
    """Decide about every file, write the ledger, and finish every shard of what is kept."""
    with RowWriter(build.folder / LEDGER, LEDGER_SCHEMA) as ledger:
        record = _recorder(totals, ledger)
        wanted, speaking = _filtered(build, record)
        some = build.pool(len(build.snapshot.by_source))
        found = licensed(build.snapshot, wanted, speaking, some)
        entries, totals.license_notes = found.entries, found.notes
        text_bytes = sum(entry.size for entry in entries)
        pool = build.pool(len(build.snapshot.by_source), text_bytes)
        examined = yield from _examined(build, entries, pool)
        steps = 2 * len(entries)
        del found, entries  # the outcomes have entries of their own
        arrangement = _arrangement(build, examined, pool)
        del examined
        decisions, kept = arrangement.decisions, arrangement.kept
        for outcome in decisions.outcomes:
            record(outcome)
    totals.leak_before, totals.leak_after = decisions.leak_before, decisions.leak_after
    note = "written" if finish is write else "counted"
    for shard in pool.in_order(finish, _shards(build, arrangement)):
        totals.add_documents(shard)
        done = steps - len(kept) + totals.files_written
        yield Progress(done=done, total=steps, unit="files", note=note)


def _recorder(totals: Totals, ledger: RowWriter) -> Callable[[Outcome], None]:
    """A function that counts an outcome and writes its row of the ledger."""

    def record(outcome: Outcome) -> None:
        totals.add(outcome)
        ledger.write(ledger_row(outcome), LEDGER_ROW_BYTES)

    return record


def _shards(build: _Build, arrangement: Arrangement) -> Iterator[Shard]:
    size = build.sizes.shard_bytes
    return shards(arrangement, build.snapshot, build.spec, build.folder, shard_bytes=size)


def _filtered(build: _Build, record: Callable[[Outcome], None]) -> tuple[list[Entry], list[Entry]]:
    """The entries that no rule on metadata drops, and all that speak about licences.

    Those that are dropped are recorded.
    """
    passed: list[Entry] = []
    speaking: list[Entry] = []
    pool = build.pool(len(build.snapshot.by_source))
    for listing in listings(build.snapshot, build.spec, pool):
        passed += listing.passed
        speaking += listing.speaking
        for outcome in listing.dropped:
            record(outcome)
    chosen = []
    for entry, is_sampled in zip(passed, sampled(passed, build.spec.sample_bytes), strict=True):
        if is_sampled:
            chosen.append(entry)
        else:
            record(Outcome(entry=entry, reason=NOT_SAMPLED))
    return chosen, speaking


def _examined(
    build: _Build, entries: Sequence[Entry], pool: Pool
) -> Generator[Progress, None, Collected]:
    """The first pass: judge every file and compute its traces, in order."""
    tasks = list(_batches(build, entries))
    (build.folder / FOLDER).mkdir(exist_ok=True)
    sources = len({entry.source for entry in entries})
    seen: set[str] = set()
    done = count = 0
    for task, (passed, dropped) in zip(tasks, pool.in_order(find, tasks), strict=True):
        count += passed
        done += passed + dropped
        seen |= {entry.source for entry in task.batch.entries}
        note = f"examined {len(seen):,} of {sources:,} repositories" if sources > 1 else "examined"
        yield Progress(done=done, total=2 * len(entries), unit="files", note=note)
    return collected(tasks, count)


def _batches(build: _Build, entries: Sequence[Entry]) -> Iterator[Findings]:
    seen: set[str] = set()

    def weight(entry: Entry) -> int:
        is_new = entry.source not in seen
        seen.add(entry.source)
        return entry.size + is_new * SOURCE_BYTES

    for group in grouped(entries, build.sizes.batch_bytes, weight):
        batch = FileBatch(snapshot=build.snapshot.around(group), entries=group, spec=build.spec)
        yield Findings(folder=build.folder / FOLDER, batch=batch)


def _arrangement(build: _Build, examined: Collected, pool: Pool) -> Arrangement:
    """Final outcomes: of files that the first pass dropped, then of those that it passed."""
    texts = ReadableTexts(
        snapshot=build.snapshot,
        spec=build.spec,
        outcomes=examined.passed,
        signatures=examined.signatures,
        profiles=examined.profiles,
        pool=pool,
    )

    def decisions(spec: CorpusSpec, frozen: Mapping[str, Split]) -> Decisions:
        size = build.sizes.compared_characters
        made = decide(texts, spec, frozen, compared_characters=size)
        return replace(made, outcomes=[*examined.dropped, *made.outcomes])

    return arranged(decisions, build.snapshot, build.spec, build.frozen)
