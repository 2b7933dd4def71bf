import bz2
import gzip
import lzma
import tarfile
import tracemalloc
import zipfile

import pytest

from corpora.errors import SourceError
from corpora.sources.url import archive
from tests.corpora.sources.url.urls import (
    BOOK,
    contents,
    fetched,
    problems,
    source_of,
    special,
    tar_of,
    zip_of,
)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.zip", zip_of([("d/b.py", b"b"), ("a.py", b"a")])),
        ("a.tar", tar_of([("d/b.py", b"b"), ("a.py", b"a")])),
        ("a.tar.gz", tar_of([("d/b.py", b"b"), ("./a.py", b"a")], "w:gz")),
        ("a.tgz", tar_of([("d/b.py", b"b"), ("a.py", b"a")], "w:gz")),
        ("a.tar.xz", tar_of([("d/b.py", b"b"), ("a.py", b"a")], "w:xz")),
        ("a.tar.bz2", tar_of([("d/b.py", b"b"), ("a.py", b"a")], "w:bz2")),
        ("no-suffix-at-all", tar_of([("d/b.py", b"b"), ("a.py", b"a")], "w:gz")),
    ],
)
def test_archives_are_read_in_their_own_order_and_in_any_other(tmp_path, name, packed):
    (tmp_path / name).write_bytes(packed)
    snapshot = fetched(source_of(f"file://{tmp_path}/{name}"), tmp_path / "out")
    entries = list(snapshot.entries())
    assert [(e.source, e.path, e.size) for e in entries] == [(name, "d/b.py", 1), (name, "a.py", 1)]
    assert [content for _, content in snapshot.read(entries)] == [b"b", b"a"]
    assert [content for _, content in snapshot.read(entries[::-1])] == [b"a", b"b"]
    assert not list((tmp_path / "out").rglob("*.py"))


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_single_compressed_text_is_unpacked(tmp_path, compress):
    suffix = {"gzip": "gz", "lzma": "xz", "bz2": "bz2"}[compress.__module__]
    (tmp_path / f"book.txt.{suffix}").write_bytes(compress(BOOK))
    snapshot = fetched(source_of(f"file://{tmp_path}/book.txt.{suffix}"), tmp_path / "out")
    assert contents(snapshot) == {"book.txt": BOOK}


def test_what_is_no_plain_file_in_a_tar_is_listed_with_the_problem(tmp_path):
    sparse = tarfile.TarInfo("hole")
    sparse.type = tarfile.GNUTYPE_SPARSE
    members = [
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "a.py"),
        special("device", tarfile.CHRTYPE),
        special("folder", tarfile.DIRTYPE),
        (sparse, b""),
        ("/abs.py", b"1"),
        ("a/../../up.py", b"2"),
        ("a.py", b"3"),
    ]
    (tmp_path / "a.tar").write_bytes(tar_of(members))
    snapshot = fetched(source_of(f"file://{tmp_path}/a.tar"), tmp_path / "out")
    assert problems(snapshot) == {
        "link": "symbolic link",
        "hard": "hard link",
        "device": "special file",
        "hole": "sparse file",
        "/abs.py": "absolute path",
        "a/../../up.py": "path leads outside",
        "a.py": None,
    }


def test_what_is_no_plain_file_in_a_zip_is_listed_with_the_problem(tmp_path):
    link, locked, odd = (zipfile.ZipInfo(name) for name in ("link", "locked", "odd"))
    link.external_attr = 0o120777 << 16
    packed = zip_of(
        [(link, b"/etc/passwd"), ("C:\\x.py", b"1"), ("../up.py", b"2"), ("d/", b""), ("a.py", b"")]
    )
    (tmp_path / "a.zip").write_bytes(packed)
    flagged = bytearray(zip_of([(locked, b"secret"), (odd, b"odd")]))
    first = flagged.index(b"PK\x01\x02")
    flagged[first + 8] |= 1
    second = flagged.index(b"PK\x01\x02", first + 1)
    flagged[second + 10] = 97
    (tmp_path / "b.zip").write_bytes(flagged)
    urls = [f"file://{tmp_path}/{name}.zip" for name in "ab"]
    assert problems(fetched(source_of(*urls), tmp_path / "out")) == {
        "link": "symbolic link",
        "C:\\x.py": "absolute path",
        "../up.py": "path leads outside",
        "a.py": None,
        "locked": "encrypted",
        "odd": "compression method 97",
    }


def test_an_archive_in_an_archive_stays_closed(tmp_path):
    inner = zip_of([("a.py", b"a")])
    (tmp_path / "a.tar").write_bytes(tar_of([("inner.zip", inner)]))
    snapshot = fetched(source_of(f"file://{tmp_path}/a.tar"), tmp_path / "out")
    assert contents(snapshot) == {"inner.zip": inner}


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("bomb.zip", lambda zeros: zip_of([("zeros.txt", zeros)])),
        ("bomb.tar.gz", lambda zeros: tar_of([("zeros.txt", zeros)], "w:gz")),
        ("bomb.txt.xz", lzma.compress),
        ("bomb.txt.bz2", bz2.compress),
    ],
)
def test_a_bomb_is_refused_in_one_line(tmp_path, name, pack):
    packed = pack(bytes(12_000_000))
    assert len(packed) < 120_000
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(SourceError, match="unpacks to more than 10,000,000 bytes; raise max_un"):
        fetched(source_of(f"file://{tmp_path}/{name}"), tmp_path / "out")
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*"))
    assert size < 1_000_000


def test_a_cap_in_bytes_holds_whatever_the_ratio(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(BOOK))
    with pytest.raises(SourceError, match="unpacks to more than 39,999 bytes"):
        fetched(source_of(f"file://{tmp_path}/a.gz", max_unpacked_bytes=39_999), tmp_path / "out")


def test_a_zip_member_that_lies_about_its_size_is_not_inflated(tmp_path):
    packed = bytearray(zip_of([("a.txt", bytes(12_000_000)), ("b.txt", b"b")]))
    lie = (100).to_bytes(4, "little")
    packed[22:26] = lie
    central = packed.index(b"PK\x01\x02")
    packed[central + 24 : central + 28] = lie
    (tmp_path / "a.zip").write_bytes(packed)
    snapshot = fetched(source_of(f"file://{tmp_path}/a.zip"), tmp_path / "out")
    tracemalloc.start()
    assert contents(snapshot) == {"a.txt": None, "b.txt": b"b"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.tar.gz", tar_of([("a.py", BOOK)], "w:gz")[:-40]),
        ("a.tar.xz", tar_of([("a.py", BOOK)], "w:xz")[:-40]),
        ("a.tar", tar_of([("a.py", BOOK)])[:3000]),
        ("a.zip", zip_of([("a.py", BOOK)])[:-10]),
        ("a.txt.bz2", b"BZh9" + bytes(50)),
    ],
)
def test_a_damaged_archive_is_one_clear_line(tmp_path, name, packed):
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(SourceError, match=rf"{name}: damaged archive: ") as caught:
        fetched(source_of(f"file://{tmp_path}/{name}"), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_bug_of_ours_in_listing_an_archive_is_no_damage(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zip_of([("a.py", BOOK)]))
    monkeypatch.setattr(archive, "_name_problem", int)
    with pytest.raises(ValueError, match="invalid literal for int"):
        fetched(source_of(f"file://{tmp_path}/a.zip"), tmp_path / "out")


def test_a_tar_that_leads_back_to_its_start_is_refused(tmp_path):
    packed = bytearray(tar_of([("a.py", b"1"), ("b.py", b"2")]))
    header = packed[1024:1536]
    header[124:136] = (2**96 - 2048).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    packed[1024:1536] = header
    (tmp_path / "a.tar").write_bytes(packed)
    with pytest.raises(SourceError, match=r"damaged archive: a member before its predecessor"):
        fetched(source_of(f"file://{tmp_path}/a.tar"), tmp_path / "out")


def test_an_error_page_in_place_of_an_archive_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"<!doctype html>")
    with pytest.raises(SourceError, match=r"a.zip: is not an archive, it begins with b'<!doctype"):
        fetched(source_of(f"file://{tmp_path}/a.zip"), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("name", "pack"), [("a.zip", zip_of), ("a.tar", tar_of)])
def test_the_second_of_two_members_of_one_name_is_marked(tmp_path, name, pack):
    members = [("a.py", b"1"), ("b.py", b"b"), ("a.py", b"22"), ("./a.py", b"333")]
    (tmp_path / name).write_bytes(pack(members))
    snapshot = fetched(source_of(f"file://{tmp_path}/{name}"), tmp_path / "out")
    second = "two files of this name"
    assert [(e.path, e.problem) for e in snapshot.entries()] == [
        ("a.py", None),
        ("b.py", None),
        ("a.py", second),
        ("a.py", second),
    ]
    assert contents(snapshot) == {"a.py": b"1", "b.py": b"b"}
