"""The C preprocessor's conditionals: which branches are read, decided for each on its own.

What is inside `#if 0` is no code. Of the branches that open or close brackets only the first is
read, because they are alternatives (`#if A` / `if (a) {` / `#else` / `if (b) {`). Those that are
balanced are all read: each of them is code, and one may be the alternative to such a branch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.syntax.patterns import span

_CONDITIONAL = re.compile(r"#[ \t]*(if|el|endif)")
_IF = r"#[ \t]*(?:el)?if[ \t]*[ \t(]*(?<=[ \t(])"
_END = r"[uUlL]*[ \t)]*(?:$|//|/\*|\r|\n"
_NEVER = re.compile(rf"{_IF}(?:0[xXbB]?0*|false|![ \t(]*1){_END}|&&(?![\s\S]*\|\|))", re.ASCII)
_ALWAYS = re.compile(rf"{_IF}(?:1|true|![ \t(]*0){_END}|\|\|(?![\s\S]*&&))", re.ASCII)
"""A constant alone, or one that decides the condition whatever follows."""


@dataclass(slots=True)
class _Branch:
    """One branch that is being read, and its effect on the brackets around it.

    Attributes:
        directive: the token that begins it, None outside conditionals.
        first: index of its first token among those kept.
        closed: closers of what was open before it.
        opened: closers of what it leaves open.
        is_dead: whether no compiler ever reads it.
        is_over: whether none after it is ever read.
        has_rival: whether a branch of its conditional that was read opens or closes brackets.
    """

    directive: re.Match[str] | None
    first: int
    closed: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    is_dead: bool = False
    is_over: bool = False
    has_rival: bool = False

    def close(self, closer: str) -> None:
        """Read one closer."""
        if self.opened and self.opened[-1] == closer:
            self.opened.pop()
        else:
            self.closed.append(closer)

    @property
    def is_balanced(self) -> bool:
        """Whether it neither opens nor closes brackets of what is around it."""
        return not (self.closed or self.opened)


def live_tokens(
    text: str, tokens: Sequence[re.Match[str]], pairs: Mapping[str, str]
) -> list[re.Match[str]]:
    """The tokens of the branches that are read, and one comment for each that is not.

    Args:
        text: the code.
        tokens: all of its tokens, directives included.
        pairs: as in `Syntax`.
    """
    kept: list[re.Match[str]] = []
    branches = [_Branch(None, 0)]
    closers = frozenset(pairs.values())
    for match in tokens:
        token, branch = match[0], branches[-1]
        if token in pairs:
            branch.opened.append(pairs[token])
        elif token in closers:
            branch.close(token)
        elif token[:1] == "#" and (condition := _CONDITIONAL.match(token)):
            word = condition[1]
            if word == "if":
                branches.append(_begun(match, len(kept), None))
            elif branch.directive:
                _end_branch(text, kept, branches, match)
                if word == "el":
                    branches.append(_begun(match, len(kept), branch))
        kept.append(match)
    return kept


def _begun(directive: re.Match[str], first: int, before: _Branch | None) -> _Branch:
    is_over = before is not None and before.is_over
    return _Branch(
        directive=directive,
        first=first,
        is_dead=is_over or bool(_NEVER.match(directive[0])),
        is_over=is_over or bool(_ALWAYS.match(directive[0])),
        has_rival=before is not None
        and (before.has_rival or not (before.is_dead or before.is_balanced)),
    )


def _end_branch(
    text: str, kept: list[re.Match[str]], branches: list[_Branch], end: re.Match[str]
) -> None:
    """Drop the last branch, or pass its effect on to what surrounds it."""
    branch = branches.pop()
    assert branch.directive
    if branch.is_dead or (branch.has_rival and not branch.is_balanced):
        kept[branch.first :] = [span(text, branch.directive.start(), end.start())]
        return
    for closer in branch.closed:
        branches[-1].close(closer)
    branches[-1].opened += branch.opened
