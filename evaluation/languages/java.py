"""Java: units are methods and constructors; handles text blocks and Unicode escapes."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import Syntax
from evaluation.syntax.compiler import Compiler, Limits, run_limited
from evaluation.syntax.declared import Declarations, declared_units, first_brace
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.patterns import (
    BLOCK_COMMENT,
    BRACKETS,
    ESCAPE,
    LEAVES,
    LINE_COMMENT,
    pattern,
    quoted,
)

_OPEN_BLOCK = r'"""[ \t\f\r]*+\n'
_TEXT_BLOCK = (
    rf'{_OPEN_BLOCK}[^"\\]*+(?>(?:(?:{ESCAPE}|"(?!""))[^"\\]*+)*)"""|{_OPEN_BLOCK}([\s\S]*+)'
)
_FRAME = ("class A {", "\n}")
_UNICODE_ESCAPE = re.compile(r"\\\\|\\u+00([0-7][0-9a-fA-F])")
_DEEPEST = 6
"""Brackets inside one another in the arguments of an annotation."""


def _nested(opener: str, closer: str) -> str:
    """Pattern of a pair of brackets with others of its kind inside."""
    plain = rf"[^{opener}{closer}]*+"
    found = rf"\{opener}{plain}\{closer}"
    for _ in range(_DEEPEST - 1):
        found = rf"\{opener}{plain}(?>(?:{found}{plain})*)\{closer}"
    return found


_ANNOTATION = rf"@(?!interface\b)[\w.]++\s*+(?>(?:{_nested('(', ')')}\s*+)?)"
_BEFORE_HEAD = rf"{_ANNOTATION}|(?:public|protected|private|static|final)\s++(?=@)"
_NO_HEAD = (
    r"(?:if|for|while|switch|return|try|else|throw|catch|finally|do|new|super|this)\b"
    r"|[\w$]++\.[\w$.]++\("
)
"""A statement or a call, excluded before anything else is read."""
_START = re.compile(
    rf"[;{{}}]\s*+(?P<declared>)(?!{_NO_HEAD})(?>(?:{_BEFORE_HEAD})*)(?P<head>[\w$<][\w$.<>\[\],?&@\s]*+)(?=[({{])"
)
_NO_TYPE = frozenset(["return", "new", "throw", "else", "case", "assert", "yield", "do", "record"])
_NO_NAME = frozenset(
    ["if", "for", "while", "switch", "catch", "synchronized", "try", "super", "this", "return"]
)
_NAME = re.compile(r"[^\W\d][\w$]*+")
_MODIFIERS = frozenset(["public", "protected", "private"])
_CLASSES = {kind: re.compile(rf"{kind}\s++([\w$]++)") for kind in ("class", "enum", "record")}
_first_brace = first_brace(bodiless=";", type_words=("default",))


@lru_cache(maxsize=1)
def _classes(code: str) -> Mapping[str, frozenset[str]]:
    """Names of the classes that are declared in a piece of code, by kind."""
    return {kind: frozenset(names.findall(code)) for kind, names in _CLASSES.items()}


def _body(code: str, match: re.Match[str], limit: int) -> int | None:
    """The brace of a method or constructor.

    A name without a type in front is a constructor if a class has that name; else it is a call, or
    a constant of an enum.
    """
    *types, name = match["head"].split()
    if not _NAME.fullmatch(name) or name in _NO_NAME or not _NO_TYPE.isdisjoint(types):
        return None
    if code[match.end()] == "{":  # only the compact constructor of a record has no parameters
        is_compact = _MODIFIERS.issuperset(types) and name in _classes(code)["record"]
        return match.end() if is_compact else None
    if not types and not any(name in names for names in _classes(code).values()):
        return None
    return _first_brace(code, match, limit)


_ERROR = re.compile(rb"^(\w+\.java):\d+:\d+: compiler\.err\.([\w.]+)", re.MULTILINE)
_FOREIGN_CONSTRUCTOR = b"invalid.meth.decl.ret.type.req"
"""Reported for a constructor whose name is not that of its class, as for every framed one."""


def decode_escapes(text: str) -> str:
    """Replace the Unicode escapes of ASCII characters; the length is unchanged.

    Java translates them before it splits the text into tokens, so an escape can be a quote (The
    Java Language Specification, 3.3). The padding goes in front, because a blank between a
    backslash and the character would be the one that is escaped.
    """
    if "\\u" not in text:
        return text
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
        translate=decode_escapes,
    ),
    blocks=partial(declared_units, declarations=Declarations(start=_START, body=_body)),
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
