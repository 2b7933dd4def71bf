"""The bracket structure of a text: literals, pairs, mismatched closers, unterminated literals.

One engine for all languages; a `Syntax` defines the tokens. Time is linear in the length of any
text: each token is read once, and a pattern that fails has read only what the next one matches, so
hostile text costs little more than real text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from evaluation.syntax.patterns import LEAF

FaultKind = Literal["mismatch", "unopened", "unclosed", "unterminated"]

RECOVERY_DEPTH = 16
"""Maximum number of openers that one wrong closer closes, which keeps the time linear."""
MAX_CUT_LINE = 200
"""Longest partial line, in characters, that is skipped at the start of a cut text."""
MAX_CUT_LITERAL = 3_000
"""Longest unterminated literal, in characters, that is excused at the end of a cut text."""
MAX_CUT_SHARE = 0.9
"""Largest share of a cut text that such a literal may have: of the rest, nothing can be judged."""

_OPENS = re.compile(r"(?:\A|[=(,\[{:+%]|\breturn)\s*[a-zA-Z]{0,2}\Z")
"""What is before quotes that open a literal, and not before those that close one."""
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
        comments: how comments begin, and whatever else is neither code nor a value.
        long_literals: opener and closer of the literals and comments that can span lines, and so
            can be cut at the start of a text.
        translate: what the language does to a text before it reads tokens; keeps the length.
        live: given text, tokens and pairs, returns the tokens of the code that is read, with a
            comment for each part that is not.
        recover: as `tokens`, but ends a literal where code is more likely; used for a text that
            would otherwise end in an unterminated one.
    """

    tokens: Callable[[str, int], Iterator[re.Match[str]]]
    pairs: Mapping[str, str] = field(default_factory=lambda: PAIRS)
    comments: tuple[str, ...] = ("//", "/*")
    long_literals: Sequence[tuple[str, str]] = ()
    translate: Callable[[str], str] | None = None
    live: (
        Callable[[str, Sequence[re.Match[str]], Mapping[str, str]], list[re.Match[str]]] | None
    ) = None
    recover: Callable[[str, int], Iterator[re.Match[str]]] | None = None

    @cached_property
    def closers(self) -> frozenset[str]:
        """All closing tokens."""
        return frozenset(self.pairs.values())


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one pass over the tokens of a text found.

    Attributes:
        syntax: by which it was read.
        text: that was read, translated.
        start: offset of the first character read; those before belong to a literal or line that was
            cut, and are not counted.
        tokens: in order.
        faults: in the order in which they were found.
        ends: for every opener that a closer of its kind closes, by offset: the offset after that
            closer. Pairs inside leaves are missing.
        literals: the literals and comments among the tokens.
    """

    syntax: Syntax
    text: str
    start: int
    tokens: Sequence[re.Match[str]]
    faults: Sequence[Fault]
    ends: Mapping[int, int]
    literals: Sequence[re.Match[str]]

    @cached_property
    def code(self) -> str:
        """The text with comments replaced by blanks and literals by quotes, of the same length."""
        parts = [" " * self.start]
        done = self.start
        text, comments = self.text, self.syntax.comments
        for match in self.literals:
            start, end = match.span()
            filler = " " if text.startswith(comments, start, end) else '"'
            if start < done:
                start = done
            if start < end:
                parts += text[done:start], filler * (end - start)
                done = end
        parts.append(text[done:])
        return "".join(parts)

    @property
    def swallowed(self) -> int:
        """Characters inside literals and comments that never end: nothing there was judged."""
        return sum(fault.swallowed for fault in self.faults)


def read(syntax: Syntax, text: str, *, cut_start: bool = False, cut_end: bool = False) -> Reading:
    """Read `text` as code, or as a part that was cut out of code.

    Args:
        syntax: of the language.
        text: a whole file, a unit, or a window.
        cut_start: the text may begin anywhere in a file: inside a long literal, a line or
            brackets, so closers without an opener are no faults. Of the possible beginnings, the
            one with the fewest faults counts.
        cut_end: the text may end anywhere: neither openers without a closer nor a last literal
            without an end are faults.
    """
    if syntax.translate:
        text = syntax.translate(text)

    def attempt(start: int, tokens: Callable[[str, int], Iterator[re.Match[str]]]) -> Reading:
        found: Sequence[re.Match[str]] = list(tokens(text, start))
        if syntax.live:
            found = syntax.live(text, found, syntax.pairs)
        reading = scan(syntax, text, start, found)
        if not reading.faults:
            return reading
        faults = [f for f in reading.faults if not _is_excused(f, text, cut_start, cut_end)]
        return replace(reading, faults=faults)

    best = attempt(0, syntax.tokens)
    if best.faults and cut_start:
        for start in _later_starts(syntax, text):
            if not best.faults:
                break
            best = min(best, attempt(start, syntax.tokens), key=lambda each: len(each.faults))
    if best.faults and syntax.recover and _ends_unfinished(best):
        best = attempt(best.start, syntax.recover)
    return best


def scan(syntax: Syntax, text: str, start: int, tokens: Sequence[re.Match[str]]) -> Reading:
    """Match the brackets among the tokens of `text` from offset `start`; no fault is excused."""
    pairs, closers = syntax.pairs, syntax.closers
    faults: list[Fault] = []
    ends: dict[int, int] = {}
    literals: list[re.Match[str]] = []
    stack: list[tuple[str, re.Match[str]]] = []
    for match in tokens:
        if group := match.lastgroup:
            if group not in LEAF:
                literals.append(match)
            continue
        token = match[0]
        if token in pairs:
            stack.append((pairs[token], match))
        elif token in closers:
            if stack and stack[-1][0] == token:
                ends[stack.pop()[1].start()] = match.end()
            else:
                faults.append(_wrong_closer(stack, match))
        else:
            literals.append(match)
            if match.lastindex:
                faults.append(_unterminated(match))
    faults.extend(_unclosed(match) for _, match in stack)
    return Reading(
        syntax=syntax,
        text=text,
        start=start,
        tokens=tokens,
        faults=faults,
        ends=ends,
        literals=literals,
    )


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


def _later_starts(syntax: Syntax, text: str) -> Iterable[int]:
    """Offsets where the code of a cut text may begin: after its first line, or after a literal.

    Not after a line that leaves a long literal open: what follows is no code.
    """
    line = text.find("\n", 0, MAX_CUT_LINE) + 1
    starts = [line] if line else []
    for opener, closer in syntax.long_literals:
        end = text.find(closer)
        is_closer = end >= 0 and not 0 <= text.find(opener) < end
        if opener == closer:
            is_closer = is_closer and not (len(closer) > 1 and _OPENS.search(text, 0, end))
            is_open = text.count(opener, 0, line) % 2 == 1
        else:
            is_open = text.rfind(opener, 0, line) > text.rfind(closer, 0, line)
        if is_closer:
            starts.append(end + len(closer))
        if is_open and line in starts:
            starts.remove(line)
    return dict.fromkeys(starts)


def _is_excused(fault: Fault, text: str, cut_start: bool, cut_end: bool) -> bool:
    if fault.kind == "unopened":
        return cut_start
    if fault.kind == "unterminated":
        at_end = fault.offset + fault.swallowed == len(text)
        limit = min(MAX_CUT_LITERAL, MAX_CUT_SHARE * len(text))
        return cut_end and at_end and fault.swallowed <= limit
    return cut_end and fault.kind == "unclosed"


def _ends_unfinished(reading: Reading) -> bool:
    """Whether a literal or comment over several lines never ends."""
    last = reading.literals[-1] if reading.literals else None
    return bool(last and last.lastindex and not last.lastgroup and last.end() == len(reading.text))
