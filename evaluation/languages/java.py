"""Java: units are the members of a class; handles text blocks and Unicode escapes."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

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
from evaluation.syntax.compiler import Compiler, Limits, run_limited
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.units import member_blocks

_OPEN_BLOCK = r'"""[ \t\f\r]*+\n'
_TEXT_BLOCK = (
    rf'{_OPEN_BLOCK}[^"\\]*+(?>(?:(?:\\[\s\S]|"(?!""))[^"\\]*+)*)"""|{_OPEN_BLOCK}([\s\S]*+)'
)
_FRAME = ("class A {", ";\n}")
_UNICODE_ESCAPE = re.compile(r"\\\\|\\u+00([0-7][0-9a-fA-F])")
_MEMBER = re.compile(r"\n([ \t]+)(?:public|protected|private|static|abstract|@Override)\b")

_ERROR = re.compile(rb"^(\w+\.java):\d+:\d+: compiler\.err\.([\w.]+)", re.MULTILINE)
_FOREIGN_CONSTRUCTOR = b"invalid.meth.decl.ret.type.req"
"""Reported for a constructor whose name is not that of its class, as for every framed one."""


def decode_escapes(text: str) -> str:
    """Replace the Unicode escapes of ASCII characters; the length is unchanged.

    Java translates them before it splits the text into tokens, so an escape can be a quote (The
    Java Language Specification, 3.3). The padding goes in front, because a blank between a
    backslash and the character would be the one that is escaped.
    """
    return _UNICODE_ESCAPE.sub(
        lambda match: chr(int(match[1], 16)).rjust(len(match[0])) if match[1] else match[0], text
    )


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_java:language",), frames=(_FRAME,)),
    syntax=Syntax(
        tokens=pattern(
            LEAVES, BRACKETS, LINE_COMMENT, BLOCK_COMMENT, _TEXT_BLOCK, quoted('"'), quoted("'")
        ),
        long_literals=(("/*", "*/"), ('"""', '"""')),
        rewrite=decode_escapes,
    ),
    blocks=partial(member_blocks, member=_MEMBER),
)


def _rejected(
    programs: Sequence[str], folder: Path, names: Sequence[str], limits: Limits
) -> set[str] | None:
    """Files that javac rejects; it stops after parsing, with or without an error."""
    options = [
        *("-J-Xmx512m", "-J-Xss64m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"),
        *("-proc:none", "-XDshould-stop.ifNoError=PARSE"),
        *("-encoding", "UTF-8", "-XDrawDiagnostics", "-Xmaxerrs", "1000000000"),
    ]
    done = run_limited([programs[0], *options, *names], folder, limits)
    errors = _ERROR.findall(done.stderr) if done else []
    if done is None or done.returncode != bool(errors):
        return None  # it crashed, so its list of errors may be incomplete
    return {
        name.decode()
        for name, error in errors
        if not (name.startswith(b"unit") and error == _FOREIGN_CONSTRUCTOR)
    }


COMPILER = Compiler(
    programs=("javac",),
    rejected=_rejected,
    good="class A extends Missing { }\n",
    bad="class A { int = 1; }\n",
    frame=_FRAME,
)
