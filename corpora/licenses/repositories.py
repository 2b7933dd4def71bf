"""Give the files of a source the licence in its licence files, where nothing else states one.

A licence file speaks about the files of its folder and of the folders below, up to the next
licence file: so an archive with one top folder is read, and a copied library keeps its own licence.
Files that a licence file names ("the files in src/md5 are under ...") have no known licence.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from corpora.document import Entry, Snapshot
from corpora.licenses.files import (
    METADATA,
    REUSE_DEP5,
    REUSE_TOML,
    is_reuse_text,
    license_folder,
    metadata_note,
)
from corpora.licenses.recognise import LicenseFinding, repository_license
from corpora.licenses.reuse import Annotation, annotated_license, annotations
from corpora.text.decoding import UndecodableError, decode

MAX_BYTES = 300_000
MAX_PATTERNS = 100
OF_THE_ROOT = (REUSE_TOML, REUSE_DEP5, *METADATA)
UNREAD = "This licence file is too large or not a text; its conditions are not known."
"""In place of such a text. It is not recognised."""
NO_FILE = "no licence file, and none declared for it: unknown where a file has no tag"
QUOTES, ENCLOSING = "\"'`", "()[]<>{},;:"
EXTENSION = re.compile(r"\.[A-Za-z]\w{0,9}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed:
    """Entries with the licence of their source.

    Attributes:
        notes: what the reader must know about the licences, one line each.
    """

    entries: Sequence[Entry]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """What the licence files of a folder say.

    Attributes:
        named: paths in the folder, or names, that the files mention.
        patterns: those with a "*".
    """

    finding: LicenseFinding
    named: frozenset[str]
    patterns: tuple[str, ...]

    def license_of(self, path: str) -> str | None:
        """The licence of a file, by its path in the folder."""
        parts = path.split("/")
        own = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} | {parts[-1]}
        is_named = not own.isdisjoint(self.named) or any(
            fnmatchcase(path, pattern) for pattern in self.patterns
        )
        return None if is_named else self.finding.expression


@dataclass(slots=True, kw_only=True)
class _Source:
    """What the licence files of a source say."""

    folders: dict[str, _Folder]
    annotations: list[Annotation]

    def license_of(self, path: str) -> str | None:
        """The licence of a file without a tag."""
        annotated = annotated_license(path, self.annotations)
        if annotated is not None:
            return annotated
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            known = self.folders.get(folder)
            if known is not None and (known.finding.expression or known.finding.is_barred):
                return known.license_of(path[len(folder) :].lstrip("/"))
        return None


def speaks_about_licenses(entry: Entry) -> bool:
    """Whether this file may state the licence of others, by its name and folder."""
    if entry.problem is not None:
        return False
    return entry.path in OF_THE_ROOT or license_folder(entry.path) is not None


def with_licenses(
    snapshot: Snapshot, wanted: Sequence[Entry], speaking: Sequence[Entry]
) -> Licensed:
    """Add to entries without a licence the one in the licence files of their source, if any.

    Reads only licence files, and only of sources that declare no licence.

    Args:
        speaking: the files of the snapshot that speak about licences, in its order.
    """
    unlicensed = {entry.source for entry in wanted if entry.license is None}
    if not unlicensed:
        return Licensed(entries=wanted, notes=())
    sources = {name: _Source(folders={}, annotations=[]) for name in sorted(unlicensed)}
    notes = []
    texts = _license_texts(snapshot, _above(speaking, _folders_above(wanted, unlicensed)))
    for name, source in sources.items():
        source.annotations = annotations(texts[name])
        source.folders = _folders(texts[name])
        notes += [f"{name}: {note}" for note in _notes(source, texts[name]) if note]
    entries = [
        entry
        if entry.license is not None
        else replace(entry, license=sources[entry.source].license_of(entry.path))
        for entry in wanted
    ]
    return Licensed(entries=entries, notes=notes)


def _notes(source: _Source, texts: Mapping[str, str]) -> Iterator[str]:
    if not source.folders and not source.annotations:
        yield NO_FILE
        yield from (metadata_note(path, texts[path]) for path in METADATA if path in texts)
    yield from (source.folders[folder].finding.note for folder in sorted(source.folders))


def _folders_above(wanted: Sequence[Entry], sources: set[str]) -> set[tuple[str, str]]:
    """The folders that contain wanted files, directly or not: (source, folder), "" for the root."""
    folders = {(name, "") for name in sources}
    for entry in wanted:
        folder = entry.path.rpartition("/")[0] if entry.source in sources else ""
        while (entry.source, folder) not in folders and folder:
            folders.add((entry.source, folder))
            folder = folder.rpartition("/")[0]
    return folders


def _above(speaking: Sequence[Entry], folders: set[tuple[str, str]]) -> list[Entry]:
    """Those that speak about files in these folders."""
    return [
        entry
        for entry in speaking
        if (entry.source, license_folder(entry.path)) in folders
        or (entry.path in OF_THE_ROOT and (entry.source, "") in folders)
    ]


def _license_texts(snapshot: Snapshot, files: Sequence[Entry]) -> dict[str, dict[str, str]]:
    """The texts of these files, by source and path."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in files:
        if entry.size > MAX_BYTES:
            texts[entry.source][entry.path] = UNREAD
    small = [entry for entry in files if entry.size <= MAX_BYTES]
    for entry, content in snapshot.read(small):
        try:
            texts[entry.source][entry.path] = decode(content or b"").text
        except UndecodableError:
            texts[entry.source][entry.path] = UNREAD
    return texts


def _folders(texts: Mapping[str, str]) -> dict[str, _Folder]:
    """What the licence files say, by folder; `LICENSES/` only counts where there is no other."""
    plain: dict[str, dict[str, str]] = defaultdict(dict)
    reuse: dict[str, dict[str, str]] = defaultdict(dict)
    for path, text in texts.items():
        folder = license_folder(path)
        if folder is not None:
            (reuse if is_reuse_text(path) else plain)[folder][path] = text
    return {folder: _folder(found) for folder, found in (reuse | plain).items()}


def _folder(texts: Mapping[str, str]) -> _Folder:
    finding = repository_license(texts)
    named = frozenset(_paths(finding.rest))
    patterns = tuple(sorted(name for name in named if "*" in name))[:MAX_PATTERNS]
    return _Folder(finding=finding, named=named, patterns=patterns)


def _paths(words: str) -> Iterator[str]:
    """What may be a path, or the name of a file or folder: with "/", an extension, or in quotes."""
    for word in words.split():
        inner = word.strip(ENCLOSING).rstrip(".")
        bare = inner.strip(QUOTES)
        if "/" in bare or EXTENSION.search(bare) or (inner != bare and bare):
            yield bare.rstrip("/")
