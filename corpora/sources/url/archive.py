"""Read downloaded files, plain or packed, member by member; nothing is extracted by its own name.

A compressed file is decompressed once into a file of a fixed name. What remains (a text, a tar, a
zip) gives random access to its members, also from several processes, at the price of disk space.
The unpacked size is limited before and during decompression. A file's type is decided by its
content, not its name. Archives inside archives are not opened.
"""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal, cast

from corpora.document import Entry
from corpora.errors import SourceError
from corpora.sources.folder import TWO_FILES, members_of, printable_path
from system.damage import is_own_bug

SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")
TEXTS = (".txt", ".md", ".rst", ".tex", ".csv", ".json", ".py", ".c", ".java")
"""Names of texts that cannot be web pages."""
WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
ENCRYPTED = 0x1
RATIO_FLOOR_BYTES = 10_000_000
"""This much may always be unpacked, whatever the ratio."""
CHUNK_BYTES = 2**20
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)
"""What the standard library raises for damaged archives."""
UNUSUAL_DAMAGE = (ValueError, OverflowError, RuntimeError)
"""What it also raises for malicious ones; from our code, these are bugs.

RuntimeError and its subclasses: an unknown compression, too deep nesting.
"""
Kind = Literal["plain", "zip", "tar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a download may unpack to: bytes in all, and bytes per byte downloaded."""

    max_bytes: int
    max_ratio: int

    def allowed(self, packed_bytes: int) -> int:
        """Bytes that a file of this size may unpack to."""
        return min(self.max_bytes, max(RATIO_FLOOR_BYTES, self.max_ratio * packed_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in an archive, or the file itself; fields as in `Entry`."""

    path: str
    size: int
    handle: str
    problem: str | None = None


def unpack(path: Path, limits: Limits, about: str) -> Path:
    """Decompress a file into a new one if it is compressed; check that it can be listed.

    Args:
        about: begins every error.

    Returns:
        The file for `list_members` and `read_members`: `path` itself, or a new one.

    Raises:
        SourceError: if it is damaged, or would unpack to more than `limits` allows.
    """
    allowed = limits.allowed(path.stat().st_size)
    plain = path.with_name(path.name + ".plain")
    with _explaining_damage(about):
        unpacked = plain if _decompress(path, plain, allowed, about) else path
        total = sum(member.size for member in list_members(unpacked, path.name))
    if _kind(unpacked) == "zip" and total > allowed:
        raise _too_much(about, allowed)
    return unpacked


def check_claim(path: Path, name: str, about: str) -> None:
    """Refuse a download that is not what its name says: usually a page that asks for a login.

    Raises:
        SourceError: if so; shows how the file begins.
    """
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    packed = any(head.startswith(magic) for magic in COMPRESSIONS)
    if name.lower().endswith(SUFFIXES) and not packed and _kind(path) == "plain":
        raise SourceError(f"{about}: is not an archive, it begins with {head[:30]!r}")
    if name.lower().endswith(TEXTS) and WEB_PAGE.match(head):
        raise SourceError(f"{about}: is a web page, it begins with {head[:30]!r}")


def list_members(path: Path, name: str) -> Iterator[Member]:
    """List the files in what `unpack` returned, in archive order; `name` is for a plain file."""
    kind = _kind(path)
    if kind == "plain":
        yield Member(path=name, size=path.stat().st_size, handle="0")
        return
    names: set[str] = set()
    for member in _zip_members(path) if kind == "zip" else _tar_members(path):
        is_second = member.problem is None and member.path in names
        names.add(member.path)
        yield replace(member, problem=TWO_FILES) if is_second else member


def read_members(path: Path, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    """Read members that `list_members` listed, in any order; None for a damaged one."""
    if _kind(path) == "zip":
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for entry in entries:
                yield entry, _read_zip(archive, members[int(entry.handle)])
        return
    with path.open("rb") as file:
        for entry in entries:
            file.seek(int(entry.handle))
            content = file.read(entry.size)
            yield entry, content if len(content) == entry.size else None


def plain_name(name: str) -> str:
    """The name of a compressed file without the suffix of its compression."""
    return re.sub(r"(?<=.)\.(gz|bz2|xz)$", "", name, flags=re.IGNORECASE)


def _decompress(source: Path, target: Path, allowed: int, about: str) -> bool:
    """Decompress `source` to `target` if it is compressed; return whether it is."""
    with source.open("rb") as file:
        head = file.read(8)
    openers = [opener for magic, opener in COMPRESSIONS.items() if head.startswith(magic)]
    if not openers:
        return False
    done = 0
    with cast("IO[bytes]", openers[0](source, "rb")) as packed, target.open("wb") as plain:
        while chunk := packed.read(CHUNK_BYTES):
            done += len(chunk)
            if done > allowed:
                target.unlink()
                raise _too_much(about, allowed)
            plain.write(chunk)
        plain.flush()
        os.fsync(plain.fileno())
    return True


def _kind(path: Path) -> Kind:
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if head.startswith(ZIP_MAGIC):
        return "zip"
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return "plain"
    return "tar"


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for index, member in enumerate(archive.infolist()):
            if member.is_dir():
                continue
            problem = _zip_problem(member) or _name_problem(member.filename)
            yield Member(
                path=_printable(member.filename),
                size=member.file_size,
                handle=str(index),
                problem=problem,
            )


def _zip_problem(member: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "symbolic link"
    if kind not in (0, stat.S_IFREG):
        return "special file"
    if member.flag_bits & ENCRYPTED:
        return "encrypted"
    if member.compress_type not in ZIP_METHODS:
        return f"compression method {member.compress_type}"
    return None


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as archive:
        for member in members_of(archive):
            if not member.isdir():
                yield Member(
                    path=_printable(member.name),
                    size=member.size,
                    handle=str(member.offset_data),
                    problem=_tar_problem(member) or _name_problem(member.name),
                )


def _tar_problem(member: tarfile.TarInfo) -> str | None:
    if member.issym():
        return "symbolic link"
    if member.islnk():
        return "hard link"
    if member.issparse():
        return "sparse file"
    return None if member.isreg() else "special file"


def _name_problem(name: str) -> str | None:
    if re.match(r"[/\\]|[A-Za-z]:[/\\]", name):
        return "absolute path"
    return "path leads outside" if ".." in re.split(r"[/\\]", name) else None


def _printable(name: str) -> str:
    return printable_path(name.removeprefix("./").encode("utf-8", "surrogateescape"))


def _read_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    try:
        with _explaining_damage(member.filename), archive.open(member) as file:
            # Without a size, a member with a false size is inflated whole.
            content = file.read(member.file_size)
    except SourceError:
        return None
    return content if len(content) == member.file_size else None


def _too_much(about: str, allowed: int) -> SourceError:
    return SourceError(
        f"{about}: unpacks to more than {allowed:,} bytes; "
        "raise max_unpacked_bytes or max_ratio if you trust it"
    )


@contextmanager
def _explaining_damage(about: str) -> Iterator[None]:
    """Turn what the libraries raise for a damaged file into a SourceError."""
    try:
        yield
    except SourceError:
        raise
    except DAMAGE as error:
        raise SourceError(f"{about}: damaged archive: {error}") from None
    except UNUSUAL_DAMAGE as error:
        if is_own_bug(error):
            raise
        raise SourceError(f"{about}: damaged archive: {error}") from None
    except OSError as error:
        # gzip and bz2 set no errno for damage; EINVAL is a seek to a negative offset.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise SourceError(f"{about}: damaged archive: {error}") from None
