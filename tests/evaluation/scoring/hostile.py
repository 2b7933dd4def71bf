"""Hostile texts: noise, broken real code, and what is known to hurt parsers."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from modeling.vocab import FILE_MARK

LENGTH = 4_000
KILLERS = (
    "-" * 100_000,
    "(" * 50_000,
    "[" * 5_000 + "]" * 5_000,
    "a<" * 5_000,
    "[[" * 8_000,
    "{" * 50_000,
    'x = f"' + "{a}" * 20_000 + '"',
    "if 1:\n" * 200,
    "".join(f"{' ' * depth}if 1:\n" for depth in range(300)),
    'f"' * 2_000,
    's"${' * 4_000,
    "/*" * 20_000,
    "--[==[" + "]=]" * 8_000,
    '"""' * 9_999,
    "\\\n" * 20_000,
    "#if 0\n" * 9_000,
    "\x00" * 5_000,
    "\ud800\udc00" * 2_000,
    FILE_MARK * 3_000,
    "def f(:\n" * 3_000,
    "@" * 9_000,
    "\t \t" * 9_000 + "x",
    "lambda:" * 9_000,
    "9" * 60_000,
    "x = " + "1+" * 9_000 + "1",
    "not " * 9_000 + "x",
    "a.b" * 9_000,
    "",
    " ",
    "\n" * 9_000,
)


def hostile_texts(number: int, seed: int = 0) -> Iterator[str]:
    """So many texts: mostly mutated code, a third noise, every killer now and then."""
    source = random.Random(seed)
    files = sorted(Path(os.__file__).parent.glob("*.py"))
    code = [path.read_text(encoding="utf-8", errors="replace") for path in source.sample(files, 40)]
    for index in range(number):
        kind = index % 30
        if kind == 0:
            yield KILLERS[index // 30 % len(KILLERS)]
        elif kind < 10:
            yield _noise(source)
        else:
            yield _mutated(source, code)


def _noise(source: random.Random) -> str:
    """Random bytes, or random signs of code."""
    length = source.randrange(LENGTH)
    if source.random() < 0.5:
        return source.randbytes(length).decode("latin-1")
    signs = ["{", "}", "(", ")", "[", "]", '"', "'", "\\", "\n", "/*", "*/", "--", "[[", "]]"]
    words = ["end", "function", "def ", "class ", "if ", "${", '"""', "#if\n", FILE_MARK, "\ud801"]
    return "".join(source.choices([*signs, *words, " ", "a"], k=length // 2))


def _mutated(source: random.Random, code: list[str]) -> str:
    """A window of real code with some characters replaced, dropped, doubled, or cut out."""
    text = source.choice(code)
    start = source.randrange(max(1, len(text) - LENGTH))
    window = list(text[start : start + LENGTH])
    for _ in range(source.choice((0, 1, 5, 50, 500))):
        place = source.randrange(len(window) + 1)
        part = window[place : place + source.randrange(1, 20)]
        other = source.choice(("", "".join(part) * 2, source.choice("(){}[]'\"\\\n\x00\uffff#")))
        window[place : place + len(part)] = list(other)
    return "".join(window)
