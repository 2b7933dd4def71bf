import contextlib
import time

import pytest

from corpora.text.decoding import UndecodableError, decode

KOREAN = "# \ud55c\uad6d\uc5b4 \uc8fc\uc11d\n"
RUSSIAN = "# \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 + 1\n"
IDEOGRAPHS = "# \u8fd9\u662f\u4e2d\u6587\u7684\u6ce8\u91ca\n"
ONE_LETTER = "# coding: utf-7\n# caf\u00e9\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "iso2022-kr"),
        ("# \u8fd9 \ud55c \u3042\n", "iso2022-jp-2"),
        (RUSSIAN, "utf-7"),
        (IDEOGRAPHS, "utf-7"),
        (ONE_LETTER, "utf-7"),
        (IDEOGRAPHS, "hz"),
        ("# \u6587\u4ef6\uff0c\u6d4b\u8bd5\n", "hz"),  # the second character ends in "~"
        ("\u8fd9\u662f\u4e2d\u6587" * 300 + "\n", "hz"),
    ],
)
def test_text_in_escapes_is_read(text: str, encoding: str):
    decoded = decode(text.encode(encoding))
    assert (decoded.text, decoded.encoding) == (text, encoding)


@pytest.mark.parametrize(
    "code",
    [
        "a+foo-b+bar1-c\n",
        "i++; x += a+b; y = +-1\n",
        "wire [3:0] a = ~{b,c};\n",
        '(format t "~{~a~^, ~}~%" names)\n',
        "\x1b[31mred\x1b(B\x1b[m\n",
        "key = 'iVBORw0KGgo+AAAANSUhEUg+/AbCd'\n",
        "",
    ],
)
def test_code_with_the_same_characters_stays(code: str):
    decoded = decode(code.encode())
    assert (decoded.text, decoded.encoding) == (code, "utf-8")


@pytest.mark.parametrize("unit", ["~{", "~{x~{", "+", "+AOk-", "+-", "\x1b$", "~{aa", "+AAA"])
def test_no_megabyte_makes_it_slow(unit: str):
    content = unit.encode() * (1_000_000 // len(unit))
    begin = time.process_time()
    with contextlib.suppress(UndecodableError):
        decode(content)
    assert time.process_time() - begin < 2
