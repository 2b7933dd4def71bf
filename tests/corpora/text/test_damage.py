"""Damaged texts in several bytes a character, and texts that only resemble them."""

from random import Random

import pytest

from corpora.text.decoding import UndecodableError, decode

CHINESE = (
    "\u8fd9\u662f\u4e00\u4e2a\u4e2d\u6587\u7684\u6ce8\u91ca\uff0c\u7528\u6765\u6d4b\u8bd5\u7f16\u7801\u3002",
    "\u5982\u679c\u6587\u4ef6\u635f\u574f\uff0c\u6211\u4eec\u4e0d\u80fd\u628a\u5b83\u5f53\u4f5c\u522b\u7684\u6587\u5b57\u3002",
)
KOREAN = (
    "\ud55c\uad6d\uc5b4 \uc8fc\uc11d\uc785\ub2c8\ub2e4.",
    "\uc774\uac83\uc740 \uc2dc\ud5d8\uc785\ub2c8\ub2e4.",
    "\ud30c\uc77c\uc774 \uc190\uc0c1\ub418\uc5c8\uc73c\uba74",
    "\uc77d\uc9c0 \uc54a\uc2b5\ub2c8\ub2e4.",
)
JAPANESE = (
    "\u65e5\u672c\u8a9e\u306e\u30b3\u30e1\u30f3\u30c8\u3067\u3059\u3002\u3053\u308c\u306f\u30c6\u30b9\u30c8\u3067\u3059\u3002",
    "\u58ca\u308c\u305f\u30d5\u30a1\u30a4\u30eb\u306f\u8aad\u307e\u306a\u3044\u3053\u3068\u306b\u3057\u307e\u3059\u3002",
)
EAST_ASIAN = [("gb18030", CHINESE), ("cp949", KOREAN), ("euc-jp", JAPANESE)]


def _cut(content: bytes, place: int) -> bytes:
    return content[: place + 1]


def _lost(content: bytes, place: int) -> bytes:
    return content[:place] + content[place + 1 :]


def _question(content: bytes, place: int) -> bytes:
    return content[:place] + b"?" + content[place + 1 :]


def _inserted(content: bytes, place: int) -> bytes:
    return content[:place] + b"\xff" + content[place:]


@pytest.mark.parametrize("damage", [_cut, _lost, _question, _inserted])
@pytest.mark.parametrize(("encoding", "sentences"), EAST_ASIAN)
def test_damaged_text_is_dropped_and_never_read_as_another(encoding, sentences, damage):
    random = Random(0)
    for _ in range(20):
        text = "".join(f"# {random.choice(sentences)}\nx = 1\n" for _ in range(40))
        content = text.encode(encoding)
        first_bytes = [
            len(text[:i].encode(encoding)) for i, c in enumerate(text) if not c.isascii()
        ]
        damaged = damage(content, random.choice(first_bytes))
        with pytest.raises(UndecodableError, match=f"encoding: not {encoding} at byte"):
            decode(damaged)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("# Umlaute: \u00e4\u00f6\u00fc\u00c4\u00d6\u00dc\u00df\n", "cp1252"),
        ("\u00bbSpa\u00df\u00ab, M\u00fche, \u00bbMEN\u00dc\u00ab f\u00fcr alle\n", "cp1252"),
        (
            "\u043c\u0438\u0440, \u00ab\u0421\u0421\u0421\u0420\u00bb, \u043a\u0430\u043a?\n",
            "cp1251",
        ),
        ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01\n" * 4, "cp874"),
    ],
)
def test_whole_text_in_one_byte_a_character_stays(text: str, encoding: str):
    assert decode(text.encode(encoding)).text == text
