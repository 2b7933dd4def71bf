"""Scala: units are methods; strings can contain code, comments nest, `'a` is a symbol."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.declared import Declarations, closing, declared_units
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import (
    BRACKETS,
    FLAT_COMMENT,
    LEAVES,
    LINE_COMMENT,
    nested_comment,
    never_ending,
    pattern,
    quoted,
    span,
)

_CODE = pattern(
    LEAVES,
    BRACKETS,
    LINE_COMMENT,
    FLAT_COMMENT,
    r"/\*",
    r'"""(?<=\w""")',
    r'"""[^"]*+(?>(?:"(?!"")[^"]*+)*)"""+|"""([\s\S]*+)',
    r'"(?<=\w")',
    quoted('"'),
    r"'(?:[^'\\\n]|\\(?:u+[0-9a-fA-F]{4}|[0-7]{1,3}|[^\n]))'",
    r"`[^`\n]*+`",
)
_STRING_PART = re.compile(
    r'[^"\\$\n]*+(?>(?:(?:\\[\s\S]|\$["$]|\$(?!\{))[^"\\$\n]*+)*)(?:"|(?P<hole>(?=\$))|(\\?))'
)
_TRIPLED_PART = re.compile(
    r'[^"$]*+(?>(?:(?:"(?!"")|\$["$]|\$(?!\{))[^"$]*+)*)(?:"""+|(?P<hole>(?=\$))|())'
)
_REST: Mapping[str, Callable[[str, int], re.Match[str] | None]] = {
    '"': _STRING_PART.match,
    '"""': _TRIPLED_PART.match,
}
"""Matches the rest of a literal, up to its end or to the next `hole`: code inside a string."""
_OPENERS = frozenset([*_REST, "/*"])
_SWITCHES = frozenset([*_OPENERS, "{", "}"])
_DEPTH = {"{": 1, "}": -1}


def tokens(text: str, start: int) -> Iterator[re.Match[str]]:
    """Every bracket, literal and comment of Scala code; see `Syntax`.

    The code inside an interpolated string is scanned as code: the string ends before `${` and
    resumes at the brace that closes it.
    """
    holes: list[tuple[str, int]] = []
    depths: list[int] = []
    position: int | None = start
    while position is not None:
        code, position = _CODE(text, position), None
        switches = _SWITCHES if holes else _OPENERS
        for match in code:
            opener = match[0]
            if opener not in switches or match.lastindex:
                yield match
                continue
            begin = start = match.start()
            if opener == "/*":
                comment = nested_comment(text, begin)
                yield comment
                position = comment.end()
                break
            if opener in _DEPTH:
                yield match
                depths[-1] += _DEPTH[opener]
                if depths[-1]:
                    continue
                depths.pop()
                begin = match.end()
                opener, start = holes.pop()
            rest = _REST[opener](text, match.end())
            assert rest
            position = rest.end()
            if rest.lastgroup:
                holes.append((opener, start))
                depths.append(0)
            if rest.lastindex and not rest.lastgroup:
                yield never_ending(text, start, position)
            else:
                yield span(text, begin, position)
            break


_START = re.compile(
    r"def(?<!\w\wdef)(?<!\.def)\b\s+(?:[A-Za-z_$\u00a1-\uffff][\w$]*+(?>(?:(?<=_)[^\w\s()\[\]{}\"';,.`:]++|"
    r"(?<=_)[:=]++(?=[\s(\[:]))?)|\"+|[^\w\s()\[\]{}\"';,.`]++)"
)
_TOKEN = re.compile(r"[()\[\]{};\n]|=(?![>=])(?<![=<>!:~]=)|=>")
_BLANK = re.compile(r"\s*+")
_FLAT = r"[(\[][^()\[\]{}]*+(?>(?:[(\[][^()\[\]{}]*+[)\]][^()\[\]{}]*+)*)[)\]]"
_SIMPLE = re.compile(
    rf"(?>(?:\s*+{_FLAT})*)\s*+(?>(?::(?>(?:[^()\[\]{{}}=;\n]++|=>|{_FLAT})*))?)=(?![>=])\s*+(?=\S)"
)
"""What most methods have between their name and their body."""
_GOES_ON = re.compile(r"[=:({\[]|with\b|=>")


def _body(code: str, match: re.Match[str], limit: int) -> int | None:
    """What follows `=`, or the brace of a procedure; None for an abstract method."""
    if simple := _SIMPLE.match(code, match.end(), limit):
        return simple.end()
    line = code.rfind("\n", 0, match.start()) + 1
    indent = _BLANK.match(code, line, match.start())
    assert indent
    position, is_typed = match.end(), False
    while token := _TOKEN.search(code, position, limit):
        sign, begin = token[0], token.start()
        is_typed = is_typed or ":" in code[position:begin]
        position = token.end()
        blank = _BLANK.match(code, position)
        assert blank
        if sign == "=":
            return blank.end() if blank.end() < len(code) else None
        if sign == "{" and not is_typed:
            return begin
        if sign in "([{":
            end = closing(code, begin, limit)
            if end is None:
                brace = code.find("{", begin + 1, limit)
                return None if brace < 0 else brace
            position = end
        elif sign == "\n":
            next_line = max(code.rfind("\n", 0, blank.end()) + 1, position)
            is_deeper = blank.end() - next_line > len(indent[0])
            if not is_deeper and not _GOES_ON.match(code, blank.end()):
                return None
        elif sign != "=>":
            return None
    return None


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_scala:language",)),
    syntax=Syntax(tokens=tokens, long_literals=(("/*", "*/"), ('"""', '"""'))),
    blocks=partial(
        declared_units, declarations=Declarations(start=_START, body=_body, is_expression=True)
    ),
)
