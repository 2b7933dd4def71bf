"""Scala: units are members in braces; strings can contain code, comments nest, `'a` is a symbol."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import BRACKETS, LEAVES, LINE_COMMENT, Syntax, pattern, quoted
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.units import member_blocks

_CODE = pattern(
    LEAVES,
    BRACKETS,
    LINE_COMMENT,
    r"/\*",
    r'"""(?<=\w""")',
    r'"""[^"]*+(?>(?:"(?!"")[^"]*+)*)"""+|"""([\s\S]*+)',
    r'"(?<=\w")',
    quoted('"'),
    r"'(?:[^'\\\n]|\\(?:u+[0-9a-fA-F]{4}|[0-7]{1,3}|[^\n]))'",
    r"`[^`\n]*+`",
)
_MEMBER = re.compile(
    r"\n([ \t]+)(?:def|object|class|trait|implicit|override|private|protected|final)\b"
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_REMAINDER = re.compile(r"([\s\S]*+)")
_STRING_PART = re.compile(
    r'[^"\\$\n]*+(?>(?:(?:\\[\s\S]|\$\$|\$(?!\{))[^"\\$\n]*+)*)(?:"|(?P<hole>(?=\$))|(\\?))'
)
_TRIPLED_PART = re.compile(
    r'[^"$]*+(?>(?:(?:"(?!"")|\$\$|\$(?!\{))[^"$]*+)*)(?:"""+|(?P<hole>(?=\$))|())'
)


def _comment_rest(text: str, start: int) -> re.Match[str] | None:
    """The end of the comment whose content begins at `start`, or the rest of the text."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge
    return _REMAINDER.match(text, start)


_REST: Mapping[str, Callable[[str, int], re.Match[str] | None]] = {
    '"': _STRING_PART.match,
    '"""': _TRIPLED_PART.match,
    "/*": _comment_rest,
}
"""Matches the rest of a literal, up to its end or to the next `hole`: code inside a string."""
_DEPTH = {"{": 1, "}": -1}
_SWITCHES = _REST.keys() | _DEPTH.keys()


def _never_ending(text: str, start: int, end: int) -> re.Match[str]:
    """A token for an unterminated literal, of at least two characters so that it is no bracket."""
    match = _REMAINDER.match(text, max(start - 1, 0), end)
    assert match
    return match


def tokens(text: str, start: int) -> Iterator[re.Match[str]]:
    """Every bracket, literal and comment of Scala code; see `Syntax`.

    The code inside an interpolated string is scanned as code: the string ends before `${` and
    resumes at the brace that closes it.
    """
    depth = 0
    holes: list[tuple[int, str]] = []
    position: int | None = start
    while position is not None:
        code, position = _CODE(text, position), None
        for match in code:
            yield match
            opener = match[0]
            if opener not in _SWITCHES:
                continue
            depth += _DEPTH.get(opener, 0)
            if opener == "}" and holes and holes[-1][0] == depth:
                opener = holes.pop()[1]
            if opener in _REST and not match.lastindex:
                rest = _REST[opener](text, match.end())
                assert rest
                position = rest.end()
                if rest.lastgroup:
                    holes.append((depth, opener))
                elif rest.lastindex:
                    yield _never_ending(text, match.start(), position)
                break


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_scala:language",)),
    syntax=Syntax(tokens=tokens, long_literals=(("/*", "*/"), ('"""', '"""'))),
    blocks=partial(member_blocks, member=_MEMBER),
)
