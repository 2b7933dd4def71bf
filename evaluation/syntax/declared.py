"""Units that begin with a declaration: the functions and methods of all languages but Python.

Only code begins or ends a unit, not what is in literals, comments or directives. In a text without
faults a unit ends with the bracket that closes its body. In any other text the layout decides: it
ends on its first line if its body does, else at the first closer with the indent of its
declaration or before the next declaration on its line, so that a missing brace spoils only one
unit. No unit extends past the next declaration with the same or less indent.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from evaluation.syntax.brackets import Reading
from evaluation.syntax.patterns import words
from evaluation.syntax.units import Piece

MAX_HEADER = 4_000
"""Maximum number of characters between the start of a declaration and its body."""
MAX_LINE = 2_000
"""Longest body, in characters, that can end on the line on which it begins."""
MAX_EXPRESSION = 20_000
"""Longest body, in characters, that is an expression without brackets around it."""
MAX_WORD = 40
"""Characters before a brace that are read to decide whether it belongs to a type."""

BodyFinder = Callable[[str, re.Match[str], int], int | None]
_HEADER_TOKEN = re.compile(r"[()\[\]{};\n]")
_BODY_TOKEN = re.compile(
    r"[^()\[\]{};\n]*+(?>(?:[(\[][^()\[\]{};\n]*+[)\]][^()\[\]{};\n]*+)*)([()\[\]{};\n])"
)
"""The next token that can end an expression, after any number of flat brackets."""
_BRACKET = re.compile(r"[()\[\]{}]")
_LEAF = re.compile(r"[(\[{][^()\[\]{}]*+[)\]}]")
_DEPTH = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_INDENT = re.compile(r"[ \t]*+")
_NEXT_LINE = re.compile(
    r"(?>(?:[ \t\r\f]*+\n)*)([ \t]*+)"
    r"((?:else|catch|finally|yield|with|match)\b|[.|&+*/<>=?:^%~,-])?"
)
"""The indent of the next line that is not blank, and a word or sign that continues a statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """How a language declares functions.

    Attributes:
        start: matches the beginning of a declaration; if it has a group "declared", that is the
            declaration; if a group "other" takes part, it is none, and was matched only to be
            passed over at once.
        body: given the code, a match of `start` and where to stop, returns the offset of the body:
            its opener, or an expression that extends to the next statement with the same or less
            indent. None if this is not a function, or a function without a body.
        at_start: the same at the beginning of a text, if `start` matches a line break first.
        opener: how a body that is no expression begins.
        closer: pattern of what ends such a body.
        is_expression: whether what follows a braced body can belong to it.
    """

    start: re.Pattern[str]
    body: BodyFinder
    at_start: re.Pattern[str] | None = None
    opener: str = "{"
    closer: str = r"\}"
    is_expression: bool = False


class _Found(NamedTuple):
    """A declaration with a body.

    Attributes:
        start: where its unit begins.
        line: start of the line on which it begins.
        indent: of that line.
        body: where the body begins.
    """

    start: int
    line: int
    indent: str
    body: int


def declared_units(piece: Piece, reading: Reading, declarations: Declarations) -> Iterator[Piece]:
    """The functions of a piece, in order; nested functions are units too.

    Args:
        piece: to be divided.
        reading: of the piece.
        declarations: of the language.
    """
    found = list(_declared(reading.code, declarations))
    closers = _Closers(reading.code, declarations.closer)
    following = [*found[1:], None][: len(found)]
    for each, after, cap in zip(found, following, _caps(found), strict=True):
        if each.line == 0 and piece.cut_start:
            continue
        limit = len(reading.code) if cap is None else cap
        end = _sound_end(reading, each, declarations, limit)
        if end is not None:
            yield piece.part(each.start, end, is_balanced=not reading.faults)
            continue
        end = closers.after(each.body, each.indent)
        if end is None or end > limit:
            if cap is None and piece.cut_end:
                continue
            end = max(limit, each.body + 1)
        if after and after.line == each.line:
            end = max(min(end, after.start), each.body + 1)
        yield piece.part(each.start, end)


def _declared(code: str, declarations: Declarations) -> Iterator[_Found]:
    """Every declaration with a body, in order."""
    matches = list(declarations.start.finditer(code))
    if declarations.at_start and (first := declarations.at_start.match(code)):
        matches.insert(0, first)
    if "other" in declarations.start.groupindex:
        matches = [match for match in matches if match["other"] is None]
    group = "declared" if "declared" in declarations.start.groupindex else 0
    begins = [*(match.start(group) for match in matches), len(code)]
    for index, match in enumerate(matches):
        begin = begins[index]
        body = declarations.body(code, match, min(begins[index + 1], match.end() + MAX_HEADER))
        if body is None:
            continue
        line = code.rfind("\n", 0, begin) + 1
        indent = _INDENT.match(code, line)
        assert indent
        start = line
        if indent.end() < begin:
            start = max(line, *[code.rfind(mark, line, begin) + 1 for mark in "{};"])
        yield _Found(start, line, indent[0], body)


def _caps(found: Sequence[_Found]) -> list[int | None]:
    """For each declaration, the start of the line of the next one with the same or less indent.

    A unit never extends past it, so units nest only as deep as indents differ, and the total length
    of all units is bounded.
    """
    caps: list[int | None] = [None] * len(found)
    waiting: list[tuple[int, int]] = []
    for index, each in enumerate(found):
        while waiting and waiting[-1][0] >= len(each.indent):
            before = waiting.pop()[1]
            if found[before].body < each.line:
                caps[before] = each.line
        waiting.append((len(each.indent), index))
    return caps


def _sound_end(
    reading: Reading, found: _Found, declarations: Declarations, limit: int
) -> int | None:
    """Where a unit ends by its brackets; None if they are not to be trusted."""
    is_braced = reading.code.startswith(declarations.opener, found.body)
    end = reading.ends.get(found.body)
    if is_braced and reading.faults:
        stop = found.body if end is None else min(end, found.body + MAX_LINE)
        if stop != end or "\n" in reading.code[found.body : end]:
            return None
    if not is_braced or declarations.is_expression:
        return _expression_end(reading, found, limit)
    return end if end is not None and end <= limit else None


def _expression_end(reading: Reading, found: _Found, limit: int) -> int | None:
    """End of an expression: a semicolon, a closer of what surrounds it, or the next statement."""
    code, depth, position = reading.code, 0, found.body
    last = min(limit, position + MAX_EXPRESSION)
    while token := _BODY_TOKEN.match(code, position, last):
        sign, position = token[1], token.end()
        if sign == "\n":
            if (not depth or reading.faults) and _ends_statement(code, position, found.indent):
                return position - 1
        elif sign == ";" or sign in ")]}":
            if not depth:
                return max(position - 1, found.body + 1)
            depth -= sign != ";"
        elif end := reading.ends.get(position - 1):
            position = end
            last = max(last, min(limit, end + MAX_LINE))
        else:
            depth += 1
    return last if last < len(code) else None


def _ends_statement(code: str, line: int, indent: str) -> bool:
    """Whether a new statement, with at most this indent, begins on or after a line."""
    following = _NEXT_LINE.match(code, line)
    assert following
    depth = following.end(1) - following.start(1)
    return following.end() == len(code) or (depth <= len(indent) and not following[2])


def first_brace(*, bodiless: str, type_words: Sequence[str] = ()) -> BodyFinder:
    """Make a BodyFinder that returns the first brace outside brackets.

    Args:
        bodiless: characters that, outside brackets, end a declaration without a body.
        type_words: keywords whose braces belong to a type.
    """
    is_type = re.compile(rf"(?:{words(*type_words)})\s*$") if type_words else None
    plain = r"[^()\[\]{};\n]*+" if "\n" in bodiless else r"[^()\[\]{};]*+"
    flat = re.compile(rf"{plain}(?>(?:\([^()\[\]{{}};]*+\){plain})*)\{{")

    def body(code: str, match: re.Match[str], limit: int) -> int | None:
        if simple := flat.match(code, match.end(), limit):
            brace = simple.end() - 1
            if not (is_type and is_type.search(code, max(match.end(), brace - MAX_WORD), brace)):
                return brace
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
    if leaf := _LEAF.match(code, start, limit):
        return leaf.end()
    depth = 0
    for token in _BRACKET.finditer(code, start, limit):
        depth += _DEPTH[token[0]]
        if not depth:
            return token.end()
    return None


class _Closers:
    """Finds the next closer with a given indent; results are cached, so the time is linear."""

    def __init__(self, code: str, closer: str) -> None:
        self._code = code
        self._closer = closer
        self._last: dict[str, tuple[int, int | None, int]] = {}

    def after(self, position: int, indent: str) -> int | None:
        """Offset after the first closer with this indent at or after `position`."""
        searched, begin, end = self._last.get(indent, (len(self._code) + 1, None, 0))
        if not (searched <= position and (begin is None or position <= begin)):
            match = _at_indent(indent, self._closer).search(self._code, position)
            begin, end = (match.start(), match.end()) if match else (None, 0)
            self._last[indent] = (position, begin, end)
        return None if begin is None else end


@lru_cache(maxsize=256)
def _at_indent(indent: str, closer: str) -> re.Pattern[str]:
    return re.compile(rf"\n{indent}{closer}")
