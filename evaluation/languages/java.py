"""Java: units are the members of a class; text blocks and Unicode escapes are understood."""

import re
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import (
    BLOCK_COMMENT,
    BRACKETS,
    LEAVES,
    LINE_COMMENT,
    Syntax,
    pattern,
    quoted,
)
from evaluation.syntax.units import member_blocks

_OPEN_BLOCK = r'"""[ \t\f\r]*+\n'
_TEXT_BLOCK = (
    rf'{_OPEN_BLOCK}[^"\\]*+(?>(?:(?:\\[\s\S]|"(?!""))[^"\\]*+)*)"""|{_OPEN_BLOCK}([\s\S]*+)'
)
_UNICODE_ESCAPE = re.compile(r"\\\\|\\u+00([0-7][0-9a-fA-F])")
_MEMBER = re.compile(r"\n([ \t]+)(?:public|protected|private|static|abstract|@Override)\b")


def decode_escapes(text: str) -> str:
    """`text` with the Unicode escapes of ASCII characters replaced; the length stays.

    Java translates them before it looks for tokens, so one can be a quote (The Java Language
    Specification, 3.3). Blanks fill up in front, since behind a backslash they would be escaped.
    """
    return _UNICODE_ESCAPE.sub(
        lambda match: chr(int(match[1], 16)).rjust(len(match[0])) if match[1] else match[0], text
    )


SCORER = BracketScorer(
    language="java",
    extensions=(".java",),
    syntax=Syntax(
        tokens=pattern(
            LEAVES, BRACKETS, LINE_COMMENT, BLOCK_COMMENT, _TEXT_BLOCK, quoted('"'), quoted("'")
        ),
        long_literals=(("/*", "*/"), ('"""', '"""')),
        rewrite=decode_escapes,
    ),
    blocks=partial(member_blocks, member=_MEMBER),
    frame=("class A {", ";\n}"),
)
