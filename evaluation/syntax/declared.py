"""Units that begin with a declaration: functions and methods of Go, Rust, JavaScript, TypeScript.

Literals and comments are ignored: only code begins or ends a unit. A unit ends on its first line if
its body does, else at the first brace with the indent of its declaration. So a missing brace spoils
only one unit, but in code that is not formatted some units are not balanced.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evaluation.syntax.units import BRACE, Piece

MAX_HEADER = 4_000
"""Maximum number of characters between the start of a declaration and its body."""

MAX_LINE = 2_000
"""Longest body, in characters, that can end on the line on which it begins."""
MAX_WORD = 40
"""Characters before a brace that are read to decide whether it belongs to a type."""

BodyFinder = Callable[[str, re.Match[str], int], int | None]
_HEADER_TOKEN = re.compile(r"[()\[\]{};\n]")
_BRACKET = re.compile(r"[()\[\]{}]")
_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_NEXT_STATEMENT = re.compile(r"\n(?=[^\s)\]}])")
_INDENT = re.compile(r"[ \t]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """How a language declares functions.

    Attributes:
        start: matches the beginning of a declaration.
        body: given the code, a match of `start` and where to stop, returns the offset of the body:
            its brace, or an expression that extends to the next statement in column 0. None if this
            is not a function, or a function without a body.
    """

    start: re.Pattern[str]
    body: BodyFinder


def declared_units(
    piece: Piece, tokens: Sequence[re.Match[str]], declarations: Declarations
) -> Iterator[Piece]:
    """The functions of a piece, in order; nested functions are units too.

    Args:
        piece: to be divided.
        tokens: of the piece, from its `Syntax`.
        declarations: of the language.
    """
    code = blanked(piece.text, tokens)
    starts = list(declarations.start.finditer(code))
    closers = _Closers(code)
    lines = [code.rfind("\n", 0, match.start()) + 1 for match in starts]
    caps = _caps(code, lines)
    following = [*(match.start() for match in starts[1:]), len(code)]
    for index, match in enumerate(starts):
        body = declarations.body(code, match, min(following[index], match.end() + MAX_HEADER))
        line = lines[index]
        if body is None or (line == 0 and piece.cut_start):
            continue
        start = max(line, *(code.rfind(mark, line, match.start()) + 1 for mark in "{};"))
        cap = caps[index]
        end = _end(code, line, body, closers)
        if end is None or (cap is not None and end > cap > body):
            if cap is None and piece.cut_end:
                continue
            end = len(code) if cap is None else max(cap, body + 1)
        yield piece.part(start, end)


def _caps(code: str, lines: Sequence[int]) -> list[int | None]:
    """For each declaration, the start of the line of the next one with the same or less indent.

    A unit never extends past it, so units nest only as deep as indents differ, and the total length
    of all units is bounded.
    """
    caps: list[int | None] = [None] * len(lines)
    waiting: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        indent = _INDENT.match(code, line)
        assert indent
        depth = len(indent[0])
        while waiting and waiting[-1][0] >= depth:
            caps[waiting.pop()[1]] = line
        waiting.append((depth, index))
    return caps


def blanked(text: str, tokens: Sequence[re.Match[str]]) -> str:
    """`text` with comments replaced by blanks and literals by quotes, of the same length."""
    parts: list[str] = []
    done = 0
    for match in tokens:
        token = match[0]
        if token in _DEPTH or (token[0] in "([" and token[-1] in ")]"):
            continue
        start, end = match.span()
        if start >= done:
            filler = " " if token.startswith(("//", "/*")) else '"'
            parts += text[done:start], filler * (end - start)
            done = end
    return "".join(parts) + text[done:]


def first_brace(*, bodiless: str, type_word: str = "") -> BodyFinder:
    """Make a BodyFinder that returns the first brace outside brackets.

    Args:
        bodiless: characters that, outside brackets, end a declaration without a body.
        type_word: pattern of keywords whose braces belong to a type.
    """
    is_type = re.compile(rf"\b(?:{type_word})\s*$") if type_word else None

    def body(code: str, match: re.Match[str], limit: int) -> int | None:
        depth, brace = 0, None
        for token in _HEADER_TOKEN.finditer(code, match.end(), limit):
            sign = token[0]
            before = max(match.end(), token.start() - MAX_WORD)
            if sign == "{" and not (is_type and is_type.search(code, before, token.start())):
                if not depth:
                    return token.start()
                brace = brace or token.start()
            if not depth and sign in bodiless:
                return None
            depth += _DEPTH.get(sign, 0)
            if depth < 0:
                return None
        return brace

    return body


def closing(code: str, start: int, limit: int) -> int | None:
    """Offset after the bracket that closes the one at `start`; None if not before `limit`."""
    depth = 0
    for token in _BRACKET.finditer(code, start, limit):
        depth += _DEPTH[token[0]]
        if not depth:
            return token.end()
    return None


class _Closers:
    """Finds the next brace with a given indent; results are cached, so the time is linear."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._last: dict[str, tuple[int, int | None, int]] = {}

    def after(self, position: int, indent: str) -> int | None:
        """Offset after the first closing brace with this indent at or after `position`."""
        searched, begin, end = self._last.get(indent, (len(self._code) + 1, None, 0))
        if not (searched <= position and (begin is None or position <= begin)):
            match = _closer(indent).search(self._code, position)
            begin, end = (match.start(), match.end()) if match else (None, 0)
            self._last[indent] = (position, begin, end)
        return None if begin is None else end


def _end(code: str, line: int, body: int, closers: _Closers) -> int | None:
    """End of the unit whose declaration begins on `line`; None if the code ends first."""
    if code[body : body + 1] != "{":
        match = _NEXT_STATEMENT.search(code, body)
        return match and max(len(code[: match.start()].rstrip()), body + 1)
    newline = code.find("\n", body, body + MAX_LINE)
    on_line = closing(code, body, newline if newline >= 0 else body + MAX_LINE)
    if on_line is not None:
        return on_line
    indent = _INDENT.match(code, line)
    assert indent
    return closers.after(body, indent[0])


@lru_cache(maxsize=256)
def _closer(indent: str) -> re.Pattern[str]:
    return re.compile(rf"\n{indent}{BRACE}")
