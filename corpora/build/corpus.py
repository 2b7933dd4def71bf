"""From a snapshot to a corpus, in two passes over the files and none over all texts at once.

Rules on metadata; then every file left is read, judged by its content and signed (first pass, in
several processes if it pays); copies and near-copies are found and the split decided from what
the pass left, a few hundred bytes a file; then the kept files are read again and written in
shards (second pass). Same snapshot and spec give the same bytes, whatever the machine.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from corpora.build.examine import Chunk, Finding, examine, read_again
from corpora.build.metadata_filters import first_drop, metadata_rules
from corpora.build.shards import shards, write
from corpora.build.subsample import NOT_SAMPLED, sampled
from corpora.build.totals import Totals
from corpora.chunking import cut
from corpora.corpus.parquet import (
    LEDGER,
    LEDGER_SCHEMA,
    RowWriter,
    ledger_row,
    write_character_counts,
)
from corpora.dedup.decontaminate import Decided, decide
from corpora.dedup.minhash import Hashes, shingles
from corpora.document import Entry, Outcome, Snapshot, Split
from corpora.licenses.repositories import with_licenses
from corpora.spec import CorpusSpec
from system.pool import in_order, processors
from system.progress import Progress

CHUNK_BYTES = 16 * 2**20
POOL_BYTES = 64 * 2**20
"""Below this much text, starting processes costs more than they save."""
LEDGER_ROW_BYTES = 400
Record = Callable[[Outcome], None]
NOTHING_FROZEN: Mapping[str, Split] = MappingProxyType({})


def build_corpus(
    snapshot: Snapshot,
    spec: CorpusSpec,
    directory: Path,
    *,
    frozen: Mapping[str, Split] = NOTHING_FROZEN,
    workers: int | None = None,
) -> Iterator[Progress]:
    """Write the corpus of `snapshot` into `directory`, yielding progress.

    Args:
        frozen: digest to split, of documents that must stay where they are.
        workers: processes; None takes all processors if there is enough to do.

    Raises:
        CorpusError: if some split would be empty.
    """
    totals = Totals()
    with RowWriter(directory / LEDGER, LEDGER_SCHEMA) as ledger:

        def record(outcome: Outcome) -> None:
            totals.add(outcome)
            ledger.write(ledger_row(outcome), LEDGER_ROW_BYTES)

        wanted = with_licenses(snapshot, _wanted(snapshot, spec, record))
        size = sum(entry.size for entry in wanted)
        workers = workers or (processors() if size >= POOL_BYTES else 1)
        findings = yield from _examined(snapshot, wanted, spec, workers)
        decided = _decided(findings, snapshot, spec, frozen)
        for outcome in decided.outcomes:
            record(outcome)
    totals.leak_before, totals.leak_after = decided.leak_before, decided.leak_after
    kept = [outcome for outcome in decided.outcomes if outcome.reason is None]
    done = 2 * len(wanted) - len(kept)
    cut_up = shards(kept, snapshot, spec, directory, frozen)
    for shard in in_order(write, cut_up, workers=workers):
        totals.add_documents(shard)
        done += shard.files
        yield Progress(done=done, total=2 * len(wanted), unit="files", note="written")
    _finish(totals, spec, directory)


def _finish(totals: Totals, spec: CorpusSpec, directory: Path) -> None:
    """Write vocabulary and summary, unless some split is empty."""
    totals.check()
    write_character_counts(directory, totals.character_counts())
    totals.summary(spec).save(directory)


def _examined(
    snapshot: Snapshot, wanted: Sequence[Entry], spec: CorpusSpec, workers: int
) -> Generator[Progress, None, list[Finding]]:
    """The first pass: judge and sign every file, in its order."""
    findings: list[Finding] = []
    for found in in_order(examine, _chunks(snapshot, wanted, spec), workers=workers):
        findings += found
        yield Progress(done=len(findings), total=2 * len(wanted), unit="files", note="examined")
    return findings


def _decided(
    findings: Sequence[Finding], snapshot: Snapshot, spec: CorpusSpec, frozen: Mapping[str, Split]
) -> Decided:
    """Final outcomes: of what the first pass dropped, then of what it let pass."""
    dropped = [one.outcome for one in findings if one.signature is None]
    passed = [one.outcome for one in findings if one.signature is not None]
    signatures = [one.signature for one in findings if one.signature is not None]
    decided = decide(passed, signatures, _reader(snapshot, spec, passed), spec, frozen)
    return replace(decided, outcomes=[*dropped, *decided.outcomes])


def _wanted(snapshot: Snapshot, spec: CorpusSpec, record: Record) -> list[Entry]:
    """The entries that no rule on metadata drops; the others are recorded."""
    rules = metadata_rules(spec)
    passed = []
    for entry in snapshot.entries():
        dropped = first_drop(rules, entry)
        if dropped is None:
            passed.append(entry)
        else:
            record(Outcome(entry=entry, reason=dropped[0], detail=dropped[1]))
    wanted = []
    for entry, chosen in zip(passed, sampled(passed, spec.sample_bytes), strict=True):
        if chosen:
            wanted.append(entry)
        else:
            record(Outcome(entry=entry, reason=NOT_SAMPLED))
    return wanted


def _chunks(snapshot: Snapshot, entries: Sequence[Entry], spec: CorpusSpec) -> Iterator[Chunk]:
    """Cut the files, in their order, into chunks of about CHUNK_BYTES."""
    for group in cut(entries, CHUNK_BYTES, lambda entry: entry.size):
        yield Chunk(snapshot=snapshot, entries=group, spec=spec)


def _reader(
    snapshot: Snapshot, spec: CorpusSpec, outcomes: Sequence[Outcome]
) -> Callable[[Sequence[int]], dict[int, Hashes]]:
    """Reads files again, by their places in `outcomes`, for a closer comparison."""

    def shingles_of(places: Sequence[int]) -> dict[int, Hashes]:
        wanted = [outcomes[place] for place in places]
        return dict(zip(places, map(shingles, read_again(snapshot, wanted, spec)), strict=True))

    return shingles_of
