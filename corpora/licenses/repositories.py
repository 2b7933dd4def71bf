"""Apply the licence in a source's LICENSE files to its files, where nothing else states one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from corpora.document import Entry, Snapshot
from corpora.licenses.recognise import is_license_file, repository_license
from corpora.text.decoding import UndecodableError, decode

MAX_BYTES = 200_000


def with_licenses(snapshot: Snapshot, wanted: Sequence[Entry]) -> list[Entry]:
    """Add to entries without a licence the one in the licence files of their source, if any.

    Reads only licence files in the root of sources that declare no licence.
    """
    unlicensed = {entry.source for entry in wanted if entry.license is None}
    if not unlicensed:
        return list(wanted)
    files = [
        entry
        for entry in snapshot.entries()
        if entry.source in unlicensed
        and entry.problem is None
        and "/" not in entry.path
        and entry.size <= MAX_BYTES
        and is_license_file(entry.path)
    ]
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for entry, content in snapshot.read(files):
        try:
            texts[entry.source][entry.path] = decode(content or b"").text
        except UndecodableError:
            continue
    found = {source: repository_license(named).expression for source, named in texts.items()}
    return [
        replace(entry, license=found.get(entry.source)) if entry.license is None else entry
        for entry in wanted
    ]
