"""JavaScript and TypeScript: templates contain code, `/` can begin a regex, `<` can begin JSX.

Whether `/` and `<` are operators depends on the preceding token: after a value they are. The scan
looks back at most MAX_LOOK_BACK characters, so the time is linear.
"""

import re
from collections.abc import Callable, Generator, Iterator
from functools import cached_property, partial

from evaluation.syntax.brackets import Syntax
from evaluation.syntax.declared import MAX_HEADER, MAX_WORD, Declarations, closing
from evaluation.syntax.patterns import BRACKETS, LEAVES, never_ending, pattern, quoted, span

MAX_LOOK_BACK = 200
"""Maximum length of the blanks, or of the condition in parentheses, before a regex."""
MAX_PARAMETERS = 1_000
"""Maximum number of characters in the parentheses after the name of a function."""
_COMMENT = r"/(?:/[^\n]*+|\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/)"
_CODE = pattern(
    LEAVES,
    BRACKETS,
    rf"{_COMMENT}(?>(?:\s*+{_COMMENT})*)",
    r"/\*([\s\S]*+)",
    "/",
    quoted('"'),
    quoted("'"),
    r"`[^`\\$]*+(?>(?:(?:\\[\s\S]|\$(?!\{))[^`\\$]*+)*)`",
    "`",
    r"<(?<![\w$)\]]<)(?=[A-Za-z_$>])",
    r"#!(?<![\s\S]#!)[^\n]*+",
)
_OPENERS = frozenset("`/<")
_DEPTH = {"{": 1, "}": -1}
_SWITCHES = frozenset([*_OPENERS, *_DEPTH])
_REGEX_BODY = (
    r"[^/\\\[\n]*+(?>(?:(?:\\[^\n]|\[[^\]\\\n]*+(?>(?:\\[^\n][^\]\\\n]*+)*)\])[^/\\\[\n]*+)*)"
)
_REGEX = re.compile(rf"/{_REGEX_BODY}/\w*+|/([^\n]*+)")
_TEMPLATE_PART = re.compile(
    r"[^`\\$]*+(?>(?:(?:\\[\s\S]|\$(?!\{))[^`\\$]*+)*)(?:`|(?P<hole>\$(?=\{))|(\\?))"
)
_TAG = re.compile(
    r"""[^>"'{/]*+(?>(?:(?:"[^"]*+"|'[^']*+'|/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/"""
    r"""|//[^\n]*+|/(?!>))[^>"'{/]*+)*)(?P<end>/?>|(?=\{))"""
)
_CHILDREN = re.compile(
    r"[^{<]*+(?>(?:<(?![/\w$>])[^{<]*+)*)(?P<end></[^>{<]*+>?|<[\w$.:-]*+|(?=\{))"
)
_CLOSING_TAG = re.compile(r"</\s*+([\w$.:-]*+)\s*+>")
_TAG_NAME = re.compile(r"<([\w$.:-]*+)")
_LAST_WORD = re.compile(r"(?<![\w$.])([a-z]+)$")
_BEFORE_VALUE = frozenset(
    [
        *("return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "do", "else"),
        *("instanceof", "yield", "await", "default"),
    ]
)
_CONDITION = re.compile(r"\b(?:if|while|for|with|await)\s*+$")
_PARENTHESIS = re.compile(r"[()]")

Reading = Generator[re.Match[str], None, tuple[int, "Resume | None"]]
Resume = Callable[[str, int], Reading]
"""Reads the rest of a literal that contains code: yields its parts up to the next hole, and returns
where code resumes, and the reader to use after the hole (None at the end of the literal)."""


def tokens(text: str, start: int) -> Iterator[re.Match[str]]:
    """Every bracket, literal and comment of the code; see `Syntax`.

    The code in a template or element is scanned as code: the literal ends before the brace of the
    hole, and resumes at the brace that closes it.
    """
    holes: list[Resume] = []
    depths: list[int] = []
    opened = _Opener(text)
    position: int | None = start
    while position is not None:
        code, position = _CODE(text, position), None
        before: re.Match[str] | None = None
        switches = _SWITCHES if holes else _OPENERS
        for match in code:
            token = match[0]
            if token not in switches:
                yield match
                before = match
                continue
            literal = None
            if token in _OPENERS:
                literal = opened.literal(match, before)
            else:
                yield match
                depths[-1] += _DEPTH[token]
                if not depths[-1]:
                    depths.pop()
                    literal = holes.pop()
            before = match
            if literal:
                position, rest = yield from literal(text, match.end())
                if rest:
                    holes.append(rest)
                    depths.append(0)
                break


class _Opener:
    """Decides which literal, if any, begins at a backtick, slash or angle bracket."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _tags(self) -> frozenset[str]:
        return frozenset(_CLOSING_TAG.findall(self._text))

    def literal(self, match: re.Match[str], before: re.Match[str] | None) -> Resume | None:
        """The reader for the literal that begins at `match`, or None; `before` is the last token.

        An element without a closing tag anywhere in the text is a type argument, or an element
        without children, and is scanned as code.
        """
        start = match.start()
        if match[0] == "`":
            return partial(_template, start)
        if not _is_value_due(self._text, start, before):
            return None
        if match[0] == "/":
            return _regex
        name = _TAG_NAME.match(self._text, start)
        assert name
        return partial(_element, start, 1, True) if name[1] in self._tags else None


def _template(start: int, text: str, position: int) -> Reading:
    part = _TEMPLATE_PART.match(text, position)
    assert part
    if part.lastindex and not part.lastgroup:
        yield never_ending(text, start, part.end())
    else:
        yield span(text, position, part.end())
    return part.end(), partial(_template, start) if part.lastgroup else None


def _regex(text: str, position: int) -> Reading:
    literal = _REGEX.match(text, position - 1)
    assert literal
    yield literal
    return literal.end(), None


def _element(start: int, opened: int, in_tag: bool, text: str, position: int) -> Reading:
    while opened:
        part = (_TAG if in_tag else _CHILDREN).match(text, position)
        if part is None:
            yield never_ending(text, start, len(text))
            return len(text), None
        yield span(text, position, part.end())
        position, end = part.end(), part["end"]
        if not end:
            return position, partial(_element, start, opened, in_tag)
        if in_tag:
            opened -= end == "/>"
            in_tag = False
        elif end.startswith("</"):
            opened -= 1
        else:
            opened, in_tag = opened + 1, True
    return position, None


def _is_value_due(text: str, position: int, before: re.Match[str] | None) -> bool:
    """Whether a value, not an operator, is expected at `position`; `before` is the last token."""
    end = position
    if before and before[0].startswith(("//", "/*")) and not text[before.end() : end].strip():
        end = before.start()
    head = text[max(end - MAX_LOOK_BACK, 0) : end]
    stripped = head.rstrip()
    if not stripped:
        return True
    last = stripped[-1]
    if last in "\"'`].<":
        return False
    if last == "}":
        return "\n" in head[len(stripped) :] and text[position + 1 : position + 2] != ">"
    if last == ")":
        return _closes_condition(stripped)
    if last in "+-" and stripped[-2:-1] == last:
        return False
    if last == "!":
        return len(stripped) == len(head)
    if last.isalnum() or last in "_$":
        word = _LAST_WORD.search(stripped[-12:])
        return bool(word) and word[1] in _BEFORE_VALUE
    return True


def _closes_condition(text: str) -> bool:
    """Whether the parenthesis at the end of `text` closes that of an `if` or a loop."""
    depth = 0
    for match in reversed(list(_PARENTHESIS.finditer(text))):
        depth += 1 if match[0] == ")" else -1
        if not depth:
            return bool(_CONDITION.search(text[: match.start()]))
    return False


SYNTAX = Syntax(
    tokens=tokens, comments=("//", "/*", "#!"), long_literals=(("/*", "*/"), ("`", "`"))
)

_KEYWORDS = "if|for|while|switch|catch|with|function"
_MODIFIERS = "static|async|get|set|public|private|protected|override|readonly|abstract|declare"
_HEAD = (
    r"(?P<declared>)(?:(?:export[ \t]+)?(?:(?:const|let|var)[ \t]+[\w$]++|[\w$]++(?:\.[\w$]++)*)"
    r"[ \t]*+(?::[^=\n]*+(?>(?:=>[^=\n]*+)*))?=(?![=>])[ \t]*\n?[ \t]*"
    r"(?P<assigned>(?:async\b[ \t]*)?(?:(?=[(<])|[\w$]+[ \t]*=>\s*+)"
    r"|(?:async[ \t]+)?function\b[ \t]*\*?[ \t]*[\w$]*)"
    r"|[ \t]*+(?=[\w$#\[\"*])(?:(?:(?:export|default|declare|async)[ \t]+)*"
    r"function\b[ \t]*\*?[ \t]*[\w$]++"
    rf"|(?P<method>(?:(?=[adgoprs])(?:{_MODIFIERS})[ \t]+)*\*?[ \t]*"
    rf"(?!(?=[cfisw])(?:{_KEYWORDS})\b)(?:#?[\w$]++|\[[^\]\n]*\]|\"++)\??[ \t]*+)(?=[(<])"
    r"(?!\(\s*+[\"0-9]|\([^()\[\]{}]*+\)\s*+[^\s{:=])))"
)
"""First letters are looked at before lists of words, because most lines declare nothing."""
_START = re.compile(rf"\n{_HEAD}")
_AFTER_PARAMETERS = re.compile(r"\s*(\{|:|=>\s*)")
_TYPE_TOKEN = re.compile(r"[()\[\]{};]|=>\s*")
_IN_TYPE = re.compile(r"(?:[:|&<,(=?]|=>|\bis)\s*$")
_ANGLE = re.compile(r"[()\[\]{}]|=>|[<>]")


def _body(code: str, match: re.Match[str], _limit: int) -> int | None:
    """Where the body of a function begins; see `Declarations`."""
    assigned = match["assigned"]
    if assigned and assigned.rstrip().endswith("=>"):
        return match.end()
    is_arrow = assigned is not None and "function" not in assigned
    end = _after_parameters(code, match.end(), match.end() + MAX_HEADER)
    if end is None:
        brace = code.find("{", match.end(), match.end() + MAX_HEADER)
        return brace if match.lastgroup == "declared" and brace >= 0 else None
    after = _AFTER_PARAMETERS.match(code, end)
    if after is None or (after[1].startswith("=>") and not is_arrow):
        return None
    if after[1] == ":":
        return _after_type(code, after.end(), is_arrow)
    return after.start(1) if after[1] == "{" else after.end()


def _after_parameters(code: str, start: int, limit: int) -> int | None:
    """Offset after the parameters, and after type parameters where there are some."""
    depth, position = 0, start
    while token := _ANGLE.search(code, position, limit):
        sign, position = token[0], token.end()
        if sign == "(" and not depth:
            return closing(code, token.start(), min(limit, position + MAX_PARAMETERS))
        if sign in "([{":
            end = closing(code, token.start(), limit)
            if end is None or not depth:
                return None
            position = end
        elif sign in ")]}":
            return None
        elif sign != "=>":
            depth += 1 if sign == "<" else -1
    return None


def _after_type(code: str, start: int, is_arrow: bool) -> int | None:
    """Where the body begins, after the return type of a function."""
    following = _START.search(code, start, start + MAX_HEADER)
    position, limit = start, following.start() if following else start + MAX_HEADER
    while token := _TYPE_TOKEN.search(code, position, limit):
        sign, position = token[0], token.end()
        word = max(start - 1, token.start() - MAX_WORD)
        if sign == "{" and not _IN_TYPE.search(code, word, token.start()):
            return None if is_arrow else token.start()
        if sign.startswith("=>"):
            if is_arrow and code[word : token.start()].rstrip()[-1:] != ")":
                return token.end()
        elif sign in "([{":
            end = closing(code, token.start(), limit)
            if end is None:
                return None
            position = end
        else:
            return None
    return None


DECLARATIONS = Declarations(start=_START, at_start=re.compile(_HEAD), body=_body)
