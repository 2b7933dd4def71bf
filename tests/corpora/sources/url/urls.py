"""URL sources for tests, and archives built in memory."""

import io
import tarfile
import zipfile
from typing import Any

from corpora.sources.url.source import UrlSource

BOOK = b"A book.\n" * 5_000


def source_of(*urls, **keys):
    return UrlSource.model_validate({"kind": "url", "urls": urls, **keys})


def fetched(source, directory):
    directory.mkdir(exist_ok=True)
    list(source.fetch(source.resolve(), directory))
    return source.open(directory)


def contents(snapshot):
    return {
        e.path: content
        for e, content in snapshot.read(e for e in snapshot.entries() if not e.problem)
    }


def problems(snapshot):
    return {entry.path: entry.problem for entry in snapshot.entries()}


def tar_of(members, mode: Any = "w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for member, content in members:
            header = tarfile.TarInfo(member) if isinstance(member, str) else member
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return stream.getvalue()


def zip_of(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return stream.getvalue()


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""
