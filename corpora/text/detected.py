"""The encoding that chardetng guesses, and whether bytes fit an encoding."""

PYTHON_NAMES = {
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""WHATWG encodings that Python has under another name, or whose Python namesake is narrower."""
EAST_ASIAN = ("gb18030", "big5hkscs", "cp932", "euc-jp", "cp949")
"""Encodings of one or two bytes a character, in which a lost byte changes what follows."""


def detected_encoding(content: bytes) -> str:
    """Python's name of the encoding that chardetng guesses for bytes that are not UTF-8."""
    from chardetng_py import detect

    name = detect(content, allow_utf8=False).lower()
    return PYTHON_NAMES.get(name, name)


def fits(content: bytes, encoding: str) -> bool:
    """Whether all of `content` can be decoded; False for an encoding that Python lacks."""
    try:
        content.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return False
    return True
