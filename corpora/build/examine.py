"""Examine files one by one: read, decode, judge by content. The first pass of a build.

The result for a file is small (an outcome and a signature), so it can be sent from another process.
Texts are not kept; they are read again when they are compared or written.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from corpora.build.metadata_filters import EMPTY, LFS_POINTER, UNREADABLE
from corpora.dedup.characters import Profiles, joined, profile
from corpora.dedup.minhash import Signatures, sketch, token_runs
from corpora.document import Entry, Outcome, Snapshot
from corpora.errors import CorpusError
from corpora.licenses.headers import header_license
from corpora.licenses.tags import stated_license
from corpora.spec import CorpusSpec
from corpora.text.decoding import Decoded, UndecodableError, decode
from corpora.text.gutenberg import cut_license

LFS_HEAD = b"version https://git-lfs.github.com/spec/"
"""How the pointer begins that git has in place of a file in Git LFS."""
FORBIDDEN = "\uffff"
"""The one character no document may hold: models use it as the border between documents."""
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """A file after reading.

    Attributes:
        outcome: dropped with a reason, or kept as far as its own content decides.
        text: "" if it was dropped.
    """

    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBatch:
    """Neighbouring files, examined as one task."""

    snapshot: Snapshot
    entries: Sequence[Entry]
    spec: CorpusSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The result of the first pass for a batch.

    Attributes:
        dropped: outcomes of files that a rule dropped.
        passed: outcomes of the others, N of them.
        signatures: MinHash of their shingles, (N, P).
        profiles: of their characters.
    """

    dropped: Sequence[Outcome]
    passed: Sequence[Outcome]
    signatures: Signatures
    profiles: Profiles


def examine(batch: FileBatch) -> Examined:
    """Judge the files of a batch, and compute what finding near-copies of those that pass takes."""
    outcomes, of_tokens, profiles = [], [], []
    for file in read_texts(batch.snapshot, batch.entries, batch.spec):
        outcomes.append(file.outcome)
        if file.outcome.reason is None:
            of_tokens.append(token_runs(file.text))
            profiles.append(profile(file.text))
    return Examined(
        dropped=[outcome for outcome in outcomes if outcome.reason],
        passed=[outcome for outcome in outcomes if outcome.reason is None],
        signatures=sketch(of_tokens),
        profiles=joined(profiles),
    )


def read_texts(
    snapshot: Snapshot, entries: Sequence[Entry], spec: CorpusSpec
) -> Iterator[ReadFile]:
    """Read files in their order, each with its text or the reason that drops it."""
    for entry, content in snapshot.read(entries):
        yield _judge(entry, content, spec)


def read_again(snapshot: Snapshot, outcomes: Sequence[Outcome], spec: CorpusSpec) -> Iterator[str]:
    """Read the texts of files that passed every rule, without applying the rules again."""
    entries = [outcome.entry for outcome in outcomes]
    for outcome, (_, content) in zip(outcomes, snapshot.read(entries), strict=True):
        text = "" if content is None else spec.normalise.apply(_decoded(content, spec)[0].text)
        if _digest(text) != outcome.sha256:
            path = outcome.entry.path
            raise CorpusError(f"{path}: changed while the corpus was built; run again")
        yield text


def _judge(entry: Entry, content: bytes | None, spec: CorpusSpec) -> ReadFile:
    if content is None:
        return _dropped(entry, UNREADABLE)
    if content.startswith(LFS_HEAD):
        return _dropped(entry, LFS_POINTER)
    try:
        decoded, note = _decoded(content, spec)
    except UndecodableError as error:
        return _dropped(entry, error.reason, error.detail)
    if not decoded.text.strip():
        return _dropped(entry, EMPTY)
    license_ = _license(decoded.text, entry.license)
    dropped = spec.text.first_drop(entry.path, decoded.text, license_)
    if dropped is not None:
        return _dropped(entry, *dropped)
    text = spec.normalise.apply(decoded.text)
    outcome = Outcome(
        entry=entry,
        detail=note,
        vendored=spec.text.is_vendored(entry.path),
        sha256=_digest(text),
        license=license_,
        encoding=decoded.encoding,
        characters=len(text),
    )
    return ReadFile(outcome=outcome, text=text)


def _license(text: str, of_source: str | None) -> str | None:
    return stated_license(text) or header_license(text, of_source) or of_source


def _decoded(content: bytes, spec: CorpusSpec) -> tuple[Decoded, str]:
    """The text before normalisation, and a note on what differs from the file."""
    notes = []
    if spec.gutenberg:
        cut = cut_license(content)
        content = cut.text
        notes.append(f"licence cut off: {cut.head_bytes} + {cut.tail_bytes} bytes")
    decoded = decode(content)
    count = decoded.text.count(FORBIDDEN)
    if count:
        decoded = replace(decoded, text=decoded.text.replace(FORBIDDEN, REPLACEMENT))
        notes.append(f"U+FFFF written as U+FFFD: {count}")
    return decoded, "; ".join(notes)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _dropped(entry: Entry, reason: str, detail: str = "") -> ReadFile:
    return ReadFile(outcome=Outcome(entry=entry, reason=reason, detail=detail), text="")
