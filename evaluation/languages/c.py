"""C: units end at a brace in column 0; preprocessor lines are ignored."""

import re
from functools import partial

from evaluation.syntax.bracketed import BracketScorer
from evaluation.syntax.brackets import BLOCK_COMMENT, BRACKETS, LEAVES, Syntax, pattern, quoted
from evaluation.syntax.grammar import Grammar
from evaluation.syntax.units import BRACE, closed_blocks

_LINE_COMMENT = r"//[^\n\\]*+(?>(?:\\[\s\S][^\n\\]*+)*)"
_DIRECTIVE_PART = "|".join(
    (
        r"[^\n\\/\"]",
        r"\\[\s\S]",
        r"/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/",
        _LINE_COMMENT,
        r"\"[^\"\\\n]*+(?>(?:\\[\s\S][^\"\\\n]*+)*)\"",
        r"[/\"]",
    )
)
_DIRECTIVE = rf"#(?>(?:{_DIRECTIVE_PART})*)"
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|el|endif)(?:[ \t]+(0)\b)?", re.MULTILINE)


def first_branches(text: str) -> str:
    """Blank out every preprocessor branch but the first, and `#if 0`; the length is unchanged.

    Each branch may open a bracket that is closed only once, after the `#endif`.
    """
    parts: list[str] = []
    done = hidden = depth = 0
    hidden_depth, is_dead = -1, False
    for match in _CONDITION.finditer(text):
        word, start = match[1], match.start()
        depth += word == "if"
        if hidden_depth < 0:
            if word == "el" or (word == "if" and match[2]):
                hidden, hidden_depth, is_dead = start, depth, word == "if"
        elif hidden_depth == depth and (word == "endif" or (word == "el" and is_dead)):
            parts += text[done:hidden], " " * (start - hidden)
            done, hidden_depth = start, -1
        depth = max(depth - (word == "endif"), 0)
    return "".join(parts) + text[done:]


SCORER = BracketScorer(
    grammar=Grammar(sources=("tree_sitter_c:language",), frames=(("", ";"),)),
    syntax=Syntax(
        tokens=pattern(
            LEAVES, BRACKETS, _LINE_COMMENT, BLOCK_COMMENT, quoted('"'), quoted("'"), _DIRECTIVE
        ),
        long_literals=(("/*", "*/"),),
        rewrite=first_branches,
    ),
    blocks=partial(closed_blocks, closer=re.compile(rf"\n{BRACE}")),
)
