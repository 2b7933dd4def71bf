"""Bracket structure of a text: mismatched closers and unterminated literals.

One engine for all languages; a `Syntax` defines the tokens. Time is linear in the length of any
text: each token is read once, and a pattern that fails has read only what the next one matches, so
hostile text costs little more than real text.

Patterns never backtrack: `[...]*+` for a set of characters, `(?>(?:...)*)` for a group. The
possessive group `(?:...)*+` is equivalent, but Python before 3.11.5 matches it wrongly
(python/cpython#106052).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

FaultKind = Literal["mismatch", "unopened", "unclosed", "unterminated"]

RECOVERY_DEPTH = 16
"""Maximum number of openers that one wrong closer closes, which keeps the time linear."""
MAX_CUT_LINE = 200
"""Longest partial line, in characters, that is skipped at the start of a cut text."""
MAX_CUT_LITERAL = 3_000
"""Longest unterminated literal, in characters, that is excused at the end of a cut text."""

PAIRS: Mapping[str, str] = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One violation of the bracket structure.

    Attributes:
        offset: of the offending token in the text, in characters.
        swallowed: characters in an unterminated literal or comment, else 0.
    """

    kind: FaultKind
    offset: int
    message: str
    swallowed: int = 0


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """The lexical structure of a language.

    Attributes:
        tokens: `tokens(text, start)` yields, in order, a match for every bracket, literal and
            comment from offset `start`. An unnamed group marks an unterminated literal.
        pairs: every opening token and the token that closes it.
        long_literals: opener and closer of the literals and comments that can span lines, and so
            can be cut at the start of a text.
        rewrite: transforms the text, keeping its length; the result counts instead of the original
            if it has fewer faults.
    """

    tokens: Callable[[str, int], Iterator[re.Match[str]]]
    pairs: Mapping[str, str] = field(default_factory=lambda: PAIRS)
    long_literals: Sequence[tuple[str, str]] = ()
    rewrite: Callable[[str], str] | None = None

    @cached_property
    def closers(self) -> frozenset[str]:
        """All closing tokens."""
        return frozenset(self.pairs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The faults of a text, in the reading that has the fewest.

    Attributes:
        start: offset of the first character read; those before belong to a literal or line that was
            cut, and are not counted.
        faults: in the order in which they were found.
        innermost: for each requested edge that directly follows a closer, the offset of the
            innermost bracket still open there, -1 if there is none.
        openers: for the same edges, the offset of the bracket that the closer closed.
    """

    start: int
    faults: Sequence[Fault]
    innermost: Mapping[int, int]
    openers: Mapping[int, int]


def read(
    syntax: Syntax,
    text: str,
    *,
    cut_start: bool = False,
    cut_end: bool = False,
    edges: Collection[int] = frozenset(),
    tokens: Sequence[re.Match[str]] | None = None,
) -> Reading:
    """Read `text` as code, or as a part that was cut out of code.

    Args:
        syntax: of the language.
        text: a whole file, a unit, or a window.
        cut_start: the text may begin anywhere in a file: inside a long literal, a line or
            brackets, so closers without an opener are no faults.
        cut_end: the text may end anywhere: neither openers without a closer nor a last literal
            without an end are faults.
        edges: offsets for which to report the innermost open bracket.
        tokens: those of `text` from its start, if already known.
    """
    best: Reading | None = None
    starts = _starts(syntax, text) if cut_start else [0]
    for version in _versions(syntax, text):
        for start in starts:
            known = tokens if start == 0 and version is text else None
            reading = scan(syntax, version, start, edges, known)
            faults = [
                f for f in reading.faults if not _is_excused(f, len(text), cut_start, cut_end)
            ]
            if best is None or len(faults) < len(best.faults):
                best = replace(reading, faults=faults)
            if not faults:
                return best
    assert best is not None
    return best


def scan(
    syntax: Syntax,
    text: str,
    start: int = 0,
    edges: Collection[int] = frozenset(),
    tokens: Sequence[re.Match[str]] | None = None,
) -> Reading:
    """Read `text` from offset `start` as a whole text: no fault is excused."""
    pairs, closers = syntax.pairs, syntax.closers
    faults: list[Fault] = []
    innermost: dict[int, int] = {}
    openers: dict[int, int] = {}
    stack: list[tuple[str, re.Match[str]]] = []
    for match in syntax.tokens(text, start) if tokens is None else tokens:
        token = match[0]
        if token in pairs:
            stack.append((pairs[token], match))
        elif token in closers:
            if stack and stack[-1][0] == token:
                _, opener = stack.pop()
                if edges and (end := match.end()) in edges:
                    openers[end] = opener.start()
                    innermost[end] = stack[-1][1].start() if stack else -1
            else:
                faults.append(_wrong_closer(stack, match))
        elif match.lastindex and not match.lastgroup:
            faults.append(_unterminated(match))
    faults.extend(_unclosed(match) for _, match in stack)
    return Reading(start=start, faults=faults, innermost=innermost, openers=openers)


def _wrong_closer(stack: list[tuple[str, re.Match[str]]], match: re.Match[str]) -> Fault:
    """Report a mismatched closer, and recover the stack.

    The closer closes the nearest opener of its own kind and everything inside it, so that one
    missing closer is one fault. If there is none nearby, it counts as the closer that was expected.
    """
    if not stack:
        return Fault(kind="unopened", offset=match.start(), message=f"{match[0]!r} closes nothing")
    opener = stack[-1][1]
    near = [closer for closer, _ in stack[: -RECOVERY_DEPTH - 1 : -1]]
    depth = near.index(match[0]) + 1 if match[0] in near else 1
    del stack[-depth:]
    message = f"{match[0]!r} closes {_shown(opener)}"
    return Fault(kind="mismatch", offset=match.start(), message=message)


def _unclosed(match: re.Match[str]) -> Fault:
    message = f"{_shown(match)} is never closed"
    return Fault(kind="unclosed", offset=match.start(), message=message)


def _unterminated(match: re.Match[str]) -> Fault:
    message = f"the literal or comment {_shown(match)} never ends"
    start, end = match.span()
    return Fault(kind="unterminated", offset=start, message=message, swallowed=end - start)


def _shown(match: re.Match[str], limit: int = 20) -> str:
    token = match[0]
    return repr(token if len(token) <= limit else token[:limit] + "...")


def _versions(syntax: Syntax, text: str) -> Iterator[str]:
    yield text
    if syntax.rewrite:
        yield syntax.rewrite(text)


def _starts(syntax: Syntax, text: str) -> list[int]:
    """Offsets where the code of a cut text may begin: 0, after the line, or after a literal."""
    starts = [0, text.find("\n", 0, MAX_CUT_LINE) + 1]
    for opener, closer in syntax.long_literals:
        end = text.find(closer)
        if end >= 0 and not 0 <= text.find(opener) < end:
            starts.append(end + len(closer))
    return list(dict.fromkeys(starts))


def _is_excused(fault: Fault, length: int, cut_start: bool, cut_end: bool) -> bool:
    if fault.kind == "unopened":
        return cut_start
    if fault.kind == "unterminated":
        at_end = fault.offset + fault.swallowed == length
        return cut_end and at_end and fault.swallowed <= MAX_CUT_LITERAL
    return cut_end and fault.kind == "unclosed"


def never_ending(text: str, start: int, end: int) -> re.Match[str]:
    """A token for an unterminated literal."""
    match = _REMAINDER.match(text, start, end)
    assert match
    return match


def nested_comment(text: str, start: int) -> re.Match[str]:
    """The token of the comment that begins with `/*` at `start` and may contain others."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            comment = _SPAN.match(text, start, edge.end())
            assert comment
            return comment
    return never_ending(text, start, len(text))


def words(*keywords: str) -> str:
    """Pattern of whole words.

    It starts with a literal, not a word boundary, so that `re` skips to candidates by character
    set (twice as fast).
    """
    return "|".join(rf"{word}(?<!\w{word})\b" for word in keywords)


def quoted(quote: str) -> str:
    """Pattern of a one-line literal with escapes; unterminated, it matches the rest of the line."""
    body = rf"[^{quote}\\\n]*+(?>(?:\\[\s\S][^{quote}\\\n]*+)*)"
    return rf"{quote}{body}{quote}|{quote}({body}\\?)"


def tripled(quote: str) -> str:
    """Pattern of a literal in triple quotes; unterminated, it matches the rest of the text."""
    body = rf"[^{quote}\\]*+(?>(?:(?:\\[\s\S]|{quote}(?!{quote}{quote}))[^{quote}\\]*+)*)"
    return rf"{quote * 3}{body}{quote * 3}|{quote * 3}([\s\S]*+)"


_SPAN = re.compile(r"[\s\S]*+")
_REMAINDER = re.compile(r"([\s\S]*+)")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
BRACKETS = r"\(|\)|\[|\]|\{|\}"
_PLAIN = r"""[^()\[\]{}"'`/#\\]*+"""
LEAVES = rf"\({_PLAIN}\)|\[{_PLAIN}\]"
"""Bracket pairs without tokens inside: one token each, for speed. Not if words are tokens."""
BLOCK_COMMENT = r"/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/|/\*([\s\S]*+)"
LINE_COMMENT = r"//[^\n]*+"


def pattern(*alternatives: str) -> Callable[[str, int], Iterator[re.Match[str]]]:
    """The `tokens` of a language whose tokens are regular.

    Every alternative must begin with a literal character: only then does `re` skip to the next
    candidate by character set.
    """
    return re.compile("|".join(alternatives)).finditer
