import codecs

import pytest

from corpora.text.decoding import UndecodableError, decode

FRENCH = "# Les élèves français étaient là, déjà prêts\n"
RUSSIAN = "# \N{CYRILLIC CAPITAL LETTER PE}ривет, как дела? Хорошо\n"


@pytest.mark.parametrize(
    ("content", "text", "encoding"),
    [
        ("naïve £".encode(), "naïve £", "utf-8"),
        (codecs.BOM_UTF8 + b"x = 1\n", "x = 1\n", "utf-8-sig"),
        ("größer".encode("utf-16"), "größer", "utf-16"),
        (codecs.BOM_UTF16_BE + "ja".encode("utf-16-be"), "ja", "utf-16"),
        ("ja".encode("utf-32"), "ja", "utf-32"),
        (FRENCH.encode("cp1252"), FRENCH, "windows-1252"),
        (RUSSIAN.encode("koi8-r"), RUSSIAN, "koi8-u"),
        (b"a\r\nb\rc\n", "a\nb\nc\n", "utf-8"),
        (b"page\x0cnext", "page\x0cnext", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_text_is_read_with_the_encoding_it_was_written_in(content, text, encoding):
    decoded = decode(content)
    assert (decoded.text, decoded.encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "binary"),
        ("a\0b".encode("utf-16"), "binary"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8a", "encoding"),
    ],
)
def test_what_is_no_text_says_why(content, reason):
    with pytest.raises(UndecodableError, match=reason):
        decode(content)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_unmarked_utf16_with_control_characters_is_binary(order):
    content = "plain enough to be text".encode(order)
    assert decode(content).encoding == order
    with pytest.raises(UndecodableError, match="binary"):
        decode(content + "\x01".encode(order))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-7", "utf-8", "utf-8-sig"])
def test_no_byte_order_mark_is_part_of_the_text(encoding: str):
    text = "# \u8fd9\u662f\u4e2d\u6587\u7684\u6ce8\u91ca\n"
    assert decode(f"\ufeff{text}".encode(encoding)).text == text
