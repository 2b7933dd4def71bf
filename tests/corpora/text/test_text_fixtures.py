"""Unusual encodings: each has one outcome, which the ledger and docs/corpora.md record.

The table here and the one in the documentation have the same rows.
"""

import codecs
import time
from pathlib import Path

import pytest

from corpora.corpus.parquet import read_documents
from corpora.text.decoding import BYTE_ORDER_MARKS, UndecodableError, decode
from corpora.text.detected import PYTHON_NAMES
from tests.corpora.build.test_corpus import built, ledger, plain

DOCS = Path(__file__).parents[3] / "docs" / "corpora.md"
CODE = "def total(values):\n    return sum(values)  # the whole\n"
GERMAN = "# Gr\u00f6\u00dfe \u00e4ndern: f\u00fcr \u00dcbergr\u00f6\u00dfen \u00fcberpr\u00fcfen\n"
QUOTED = "# \u201cSmart\u201d quotes \u2014 and a price of 5 \u20ac, caf\u00e9\n"
JAPANESE = "# \u65e5\u672c\u8a9e\u306e\u30b3\u30e1\u30f3\u30c8\u3067\u3059\u3002\u2460\n"
FRENCH = "# d\u00e9j\u00e0 vu, \u00e9l\u00e8ve, caf\u00e9\n"
DECLARED = "# -*- coding: cp1251 -*-\ns = '\u0414\u0430'\n"
ENCODED = "# \u65e5\u672c\u8a9e\u306e\u30b3\u30e1\u30f3\u30c8\nx = 1\n"
CHINESE = (
    "# \u8fd9\u662f\u4e00\u4e2a\u4e2d\u6587\u7684\u6ce8\u91ca\uff0c"
    "\u7528\u6765\u6d4b\u8bd5\u7f16\u7801\nx = 1\n"
)
EMOJI = "# \U0001f600\n"
CESU = "".join(map(chr, (0xD83D, 0xDE00))).encode("utf-8", "surrogatepass")

KEPT = {
    "UTF-8 with a byte order mark": (codecs.BOM_UTF8 + CODE.encode(), CODE, "utf-8-sig"),
    "UTF-16 with a byte order mark": (GERMAN.encode("utf-16"), GERMAN, "utf-16"),
    "UTF-16 without a mark": (GERMAN.encode("utf-16-le"), GERMAN, "utf-16-le"),
    "UTF-16 without a mark, the other order": (CODE.encode("utf-16-be"), CODE, "utf-16-be"),
    "UTF-32 with a byte order mark": (GERMAN.encode("utf-32"), GERMAN, "utf-32"),
    "Latin-1": (GERMAN.encode("latin-1"), GERMAN, "windows-1252"),
    "Windows-1252": (QUOTED.encode("cp1252"), QUOTED, "windows-1252"),
    "Shift-JIS": (JAPANESE.encode("cp932"), JAPANESE, "cp932"),
    "a declared encoding": (DECLARED.encode("cp1251"), DECLARED, "windows-1251"),
    "valid UTF-8 that declares another encoding": (
        b"# coding: latin-1\n" + FRENCH.encode(),
        "# coding: latin-1\n" + FRENCH,
        "utf-8",
    ),
    "ISO-2022-JP, ISO-2022-KR": (ENCODED.encode("iso2022_jp"), ENCODED, "iso2022-jp"),
    "HZ": (CHINESE.encode("hz"), CHINESE, "hz"),
    "UTF-7": (FRENCH.encode("utf-7"), FRENCH, "utf-7"),
    "CRLF": (b"a = 1\r\nb = 2\r\n", "a = 1\nb = 2\n", "utf-8"),
    "lone CR": (b"a = 1\rb = 2\r", "a = 1\nb = 2\n", "utf-8"),
    "form feed": (b"a = 1\n\x0cb = 2\n", "a = 1\n\x0cb = 2\n", "utf-8"),
    "U+FFFF": ("a = '\uffff'\n".encode(), "a = '\ufffd'\n", "utf-8"),
    "other noncharacters, unassigned": (
        "a = '\ufffe\ufdd0\U0001ffff\u0378'\n".encode(),
        "a = '\ufffe\ufdd0\U0001ffff\u0378'\n",
        "utf-8",
    ),
}
DROPPED = {
    "NUL byte": (b"a = 1\0\n", "binary", "NUL at byte 5"),
    "NUL in marked UTF-16": ("a\0b".encode("utf-16"), "binary", "NUL at character 1"),
    "UTF-16 that ends in half a character": (
        codecs.BOM_UTF16_LE + b"a\0b",
        "encoding",
        "not utf-16 at byte 4",
    ),
    "invalid UTF-8 in a UTF-8 file": (
        FRENCH.encode() + b"x = '\xff'\n",
        "encoding",
        f"not utf-8 at byte {len(FRENCH.encode()) + 5}",
    ),
    "UTF-8 and Latin-1 in one file": (
        b"# \xc3\xa9\n# \xe9 \xe8 \xe0\n",
        "encoding",
        "not utf-8 at byte 7",
    ),
    "a file that declares UTF-8 and is not": (
        b"# coding: utf-8\ns = '\xe9'\n",
        "encoding",
        "not utf-8 at byte 21",
    ),
    "damaged text of two bytes a character": (
        (CHINESE * 20).encode("gb18030") + b"\xff\n",
        "encoding",
        f"not gb18030 at byte {len((CHINESE * 20).encode('gb18030'))}",
    ),
    "damaged ISO-2022-JP": (b"# \x1b$B\x21\x0a", "encoding", "not iso2022-jp-2 at byte 5"),
    "ISO-2022-CN": (b"# \x1b$)A\x0e=;\x0f\n", "encoding", "iso-2022-cn cannot be read"),
    "lone surrogate": (b"s = '\xed\xa0\xbd'\n", "encoding", "not utf-8 at byte 5"),
    "surrogate pair (CESU-8)": (b"s = '" + CESU + b"'\n", "encoding", "not utf-8 at byte 5"),
    "one line of 50 MB": (b"x" * 50_000_000, "too large", "50000000 bytes"),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of all fixtures, each named by its kind."""
    odd = {f"{kind}.py": row[0] for kind, row in (KEPT | DROPPED).items()}
    return built(tmp_path_factory.mktemp("fixtures"), plain() | odd)


@pytest.mark.parametrize("kind", KEPT)
def test_odd_text_is_read_and_its_encoding_recorded(corpus: Path, kind: str):
    _, text, encoding = KEPT[kind]
    row = ledger(corpus)[f"{kind}.py"]
    assert row["reason"] in (None, "duplicate")  # several hold the same text
    assert (row["encoding"], row["characters"]) == (encoding, len(text))
    assert decode(KEPT[kind][0]).text.replace("\uffff", "\ufffd") == text


@pytest.mark.parametrize("kind", DROPPED)
def test_what_is_no_text_is_dropped_with_reason_and_place(corpus: Path, kind: str):
    row = ledger(corpus)[f"{kind}.py"]
    assert (row["decision"], row["reason"], row["detail"]) == ("dropped", *DROPPED[kind][1:])


def test_what_was_kept_stands_in_the_documents(corpus: Path):
    splits = ("train", "validation", "test")
    texts = {d.text for split in splits for d in read_documents(corpus, split)}
    assert {text for _, text, _ in KEPT.values()} <= texts


def test_a_character_that_is_written_as_another_is_told(corpus: Path):
    assert ledger(corpus)["U+FFFF.py"]["detail"] == "U+FFFF written as U+FFFD: 1"
    assert ledger(corpus)["form feed.py"]["detail"] == ""


@pytest.mark.parametrize("kind", [*KEPT, *DROPPED])
def test_the_documentation_has_a_row_for_every_kind(kind: str):
    assert f"| {kind} |" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize("limits", [{}, {"max_line": 0, "max_mean_line": 0}])
def test_one_line_of_50_megabytes_costs_seconds(tmp_path: Path, limits: dict[str, int]):
    line = b"words " * (50_000_000 // 6)
    files = plain() | {"line.txt.py": line}
    began = time.process_time()
    rows = ledger(built(tmp_path, files, max_bytes=60_000_000, text=limits))
    assert time.process_time() - began < 30
    assert rows["line.txt.py"]["reason"] == (None if limits else "long lines")


@pytest.mark.parametrize("text", [CODE, GERMAN, QUOTED, JAPANESE, FRENCH, EMOJI])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_that_says_its_encoding_comes_back(text: str, encoding: str):
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("content", [b"\x01\x00" * 200, bytes(range(256)) * 4, b"ab\0\0cd\0\0" * 9])
def test_numbers_in_two_bytes_are_not_taken_for_utf_16(content: bytes):
    with pytest.raises(UndecodableError, match="binary: NUL at byte"):
        decode(content)


@pytest.mark.parametrize("text", [FRENCH * 3, GERMAN * 3, QUOTED * 3, JAPANESE * 3])
def test_damaged_utf8_is_never_read_as_another_encoding(text: str):
    content = text.encode()
    middle = content.index(b"\n") + 1
    with pytest.raises(UndecodableError, match=f"encoding: not utf-8 at byte {middle}"):
        decode(content[:middle] + b"\xe9\n" + content[middle:])


def test_every_name_of_the_detector_is_one_that_python_knows():
    for name in (*PYTHON_NAMES.values(), *(encoding for _, encoding in BYTE_ORDER_MARKS)):
        codecs.lookup(name)
    for name in WHATWG:
        codecs.lookup(PYTHON_NAMES.get(name, name))


WHATWG = [
    "ibm866",
    "iso-8859-2",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-8-i",
    "iso-8859-13",
    "koi8-u",
    "windows-874",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "x-mac-cyrillic",
    "gbk",
    "big5",
    "euc-jp",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
]
"""Every encoding that the detector may name."""
