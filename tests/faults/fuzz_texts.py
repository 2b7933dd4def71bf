"""Hostile texts and archives: bytes in any encoding, archives that lie, code for every lexer."""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from corpora.build.examine import FileBatch, examine
from corpora.document import Entry
from corpora.sources.url.archive import Limits, check_claim, list_members, read_members, unpack
from corpora.text.decoding import UndecodableError, decode
from tests.faults.fuzz_code import SPECS, TOKENS_OF_CODE, Memory
from tests.faults.fuzzing import INPUTS, bounded
from tests.faults.mutation import mutated
from tests.faults.table import Fault, LostError

ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "latin-1"),
    *("cp1252", "cp1251", "koi8-r", "shift_jis", "euc-jp", "iso2022_jp", "gb18030", "big5"),
    *("euc-kr", "cp874", "iso-8859-8", "mac-cyrillic", "cp037", "hz"),
)
WORDS = (
    *("def", "f(x):", "return", "'naïve'\n\t\u041f\u0440\u0438,", "世界!", "日本語", "한국어"),
    *("שלום", "ไทย\r\n\x0c\x0b\x85\u2028\ufeff"),
)
LIMITS = Limits(max_bytes=3_000_000, max_ratio=20)


TAR_KINDS = (
    *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE),
    *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"x", b"L", b"g"),
)


def _content(random: Random) -> bytes:
    """A text in some encoding, possibly damaged; or noise."""
    if random.random() < 0.1:
        return random.randbytes(random.choice((0, 1, 2, 3, 4, 100, 10_000)))
    text = " ".join(random.choices(WORDS, k=random.choice((1, 5, 50, 500))))
    content = text.encode(random.choice(ENCODINGS), "ignore")
    return mutated(random, content) if random.random() < 0.7 else content


def _decoding(random: Random) -> int:
    """Whatever the bytes are, they are text, or dropped with a reason."""
    for _ in range(INPUTS):
        content = _content(random)
        with bounded(content):
            try:
                decoded = decode(content)
            except UndecodableError as error:
                assert error.reason in ("binary", "encoding")
                continue
        decoded.text.encode()
        assert "\0" not in decoded.text
        assert "\r" not in decoded.text
    return INPUTS


def _examination(random: Random) -> int:
    """Every rule on content, and the signatures."""
    for _ in range(INPUTS // 5):
        contents = [_content(random) for _ in range(5)]
        if random.random() < 0.2:
            token = random.choice(TOKENS_OF_CODE)
            contents[0] = (token * 1_000).encode("utf-8", "surrogatepass")
        snapshot = Memory(contents)
        for spec in SPECS:
            with bounded(contents):
                batch = FileBatch(snapshot=snapshot, entries=snapshot.entries(), spec=spec)
                found = examine(batch)
            assert len(found.dropped) + len(found.passed) == len(contents)
    return INPUTS


def _members(random: Random) -> list[tuple[str, bytes]]:
    names = (
        *("a.py", "b/c.txt", "../../etc/cron.d/x", "/etc/passwd", "C:\\x", "..\\x", "a.py", "."),
        *("", "a" * 300, "\udcff.py", "a\nb", "a\x00b", "é.py", "./a.py", "a//b", "CON", "~/x"),
    )
    sizes = (0, 1, 511, 512, 513, 5_000)
    return [
        (random.choice(names), random.randbytes(random.choice(sizes)))
        for _ in range(random.randrange(1, 6))
    ]


def _tar(random: Random) -> bytes:
    stream = io.BytesIO()
    kinds = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)
    with tarfile.open(
        fileobj=stream, mode="w", format=random.choice(kinds), errors="surrogateescape"
    ) as tar:
        for name, content in _members(random):
            member = tarfile.TarInfo(name[:90] or "x")
            member.size = len(content)
            if random.random() < 0.4:
                member.type = random.choice(TAR_KINDS)
                member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _zip(random: Random) -> bytes:
    stream = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(stream, "w", random.choice(methods)) as archive:
        for name, content in _members(random):
            member = zipfile.ZipInfo(name.replace("\udcff", "ÿ").replace("\0", "") or "x")
            member.external_attr = random.choice((0, 0o120777 << 16, 0o100644 << 16, 0o10666 << 16))
            archive.writestr(member, content)
        if random.random() < 0.2:
            archive.writestr("bomb", b"\0" * 5_000_000, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content,
    lambda content: content,
    lambda content: gzip.compress(content, mtime=0),
    bz2.compress,
    lzma.compress,
    lambda content: gzip.compress(content + b"\0" * 5_000_000, mtime=0),
    lambda content: gzip.compress(content)[:-4] + b"\xff\xff\xff\xff",
    lambda content: gzip.compress(content) * 3,
)


def _archives(random: Random) -> int:
    """Members never leave, sizes never lie, and nothing unpacks to more than is allowed."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(INPUTS):
            with warnings.catch_warnings(action="ignore"):  # of names that occur twice
                content = random.choice((_tar, _zip))(random)
            damaged = mutated(random, content) if random.random() < 0.6 else content
            damaged = random.choice(PACKERS)(damaged)
            if random.random() < 0.3:
                damaged = mutated(random, damaged)
            path = Path(folder, "archive.zip")
            path.write_bytes(damaged)
            with bounded(damaged):
                _use_archive(path)
            if unknown := {one.name for one in Path(folder).iterdir()} - {
                path.name,
                "archive.zip.plain",
            }:
                raise LostError(f"extracted {unknown}")
    return INPUTS


def _use_archive(path: Path) -> None:
    check_claim(path, path.name, "here")
    plain = unpack(path, LIMITS, "here")
    allowed = LIMITS.allowed(path.stat().st_size)
    entries = []
    for member in list_members(plain, "archive"):
        member.path.encode()
        fields = {"path": member.path, "size": member.size, "handle": member.handle}
        entries.append(Entry(source="s", problem=member.problem, **fields))
    total = 0
    for entry, content in read_members(plain, [one for one in entries if not one.problem]):
        assert content is None or len(content) == entry.size
        total += len(content or b"")
    if plain != path and plain.stat().st_size > allowed:
        raise LostError(f"unpacked to {plain.stat().st_size:,} bytes, allowed are {allowed:,}")


FAULTS = [
    Fault(name="bytes in any encoding", rounds=40, short_rounds=2, run=_decoding),
    Fault(name="rules on content", rounds=20, short_rounds=1, run=_examination),
    Fault(name="archives", rounds=40, short_rounds=1, run=_archives),
]
