"""A second check of units of code: whether a tree-sitter grammar parses them without an error.

A grammar is stricter than bracket matching and laxer than a compiler. Error nodes are not counted,
because the worst texts become one large error node. Acceptance of real code differs by language (C
has macros, which no grammar can parse), so the figure is meaningful only next to its control.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from evaluation.results import Tally
from evaluation.syntax.units import Piece

if TYPE_CHECKING:
    from tree_sitter import Parser, Point

MAX_UNIT = 20_000
"""Longest unit that is parsed, in characters; longer ones are not counted. In Java and Lua the time
for some texts grows with the square of their length."""
MAX_SECONDS = 0.25
"""CPU time for one unit; a unit that takes longer counts as not parsed. Real units take
milliseconds."""
CHUNK = 4_096
"""Bytes per read of the parser, which calls its progress callback only between reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How units of a language are parsed.

    Attributes:
        sources: "package:function" of each grammar; a unit is valid if one of them accepts it.
        frames: text before and after a unit that makes it a file; a unit is valid in any of them.
    """

    sources: tuple[str, ...]
    frames: tuple[tuple[str, str], ...] = (("", ""),)


def parse_tally(grammar: Grammar, units: Iterable[Piece]) -> Tally:
    """Units that parse, out of those that are not too long."""
    texts = [unit.text for unit in units if len(unit.text) <= MAX_UNIT]
    valid = sum(
        any(parses(grammar, before + text + after) for before, after in grammar.frames)
        for text in texts
    )
    return Tally(valid, len(texts))


def parses(grammar: Grammar, text: str) -> bool:
    """Whether the syntax tree of `text` has neither an error nor a missing node."""
    source = text.encode("utf-8", "surrogatepass")
    return any(_parses(name, source) for name in grammar.sources)


def _parses(name: str, source: bytes) -> bool:
    parser, deadline = parser_of(name), time.process_time() + MAX_SECONDS

    def read(offset: int, _point: "Point") -> bytes:
        return source[offset : offset + CHUNK]

    def is_late(_offset: int, _has_error: bool) -> bool:
        return time.process_time() > deadline

    try:
        tree = parser.parse(read, progress_callback=is_late)
    except ValueError:  # how the binding reports a cancelled parse
        parser.reset()
        return False
    return not tree.root_node.has_error


@cache
def parser_of(name: str) -> "Parser":
    """The parser of one grammar, loaded on first use to keep start-up fast."""
    from tree_sitter import Language, Parser

    package, function = name.split(":")
    return Parser(Language(getattr(import_module(package), function)()))
