"""Licences as SPDX expressions, and which of them a corpus may contain.

Expressions are parsed and rendered by `license-expression`; deprecated names become their present
ones ("GPL-2.0" becomes "GPL-2.0-only").
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

UNKNOWN = "unknown"
"""In a policy: files whose licence is not known."""
UNREADABLE = "unreadable"
MAX_SHOWN = 100
OWN_NAME = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
"""A licence that SPDX does not list, by the name that its project gave it."""


def unreadable(expression: str) -> str:
    """A mark in place of a licence, for an expression that cannot be parsed."""
    return f"{UNREADABLE}: {' '.join(expression.split())[:MAX_SHOWN] or '(empty)'}"


def all_of(expressions: Iterable[str]) -> str:
    """One or several SPDX expressions joined by AND, each once, in the order given."""
    parts = list(dict.fromkeys(expressions))
    if len(parts) == 1:
        return parts[0]
    return " AND ".join(f"({part})" if " OR " in part else part for part in parts)


def combined_license(expressions: Iterable[str]) -> str:
    """The licence of what is under all of these expressions; unreadable if one cannot be parsed."""
    names: list[str] = []
    for expression in expressions:
        normal = normal_license(expression)
        if normal is None:
            return unreadable(expression)
        names.append(normal)
    return all_of(names) if names else unreadable("")


def normal_license(expression: str) -> str | None:
    """An SPDX expression in its normal form, None if SPDX does not know it."""
    parsed = _parsed(expression)
    return None if parsed is None else parsed.render()


def _policy_name(text: str) -> str:
    if text == UNKNOWN:
        return text
    parsed = _parsed(text)
    if parsed is None or isinstance(parsed, _licensing().AND | _licensing().OR):
        raise ValueError(f"{text!r} is not one SPDX licence such as 'MIT', nor {UNKNOWN!r}")
    return parsed.render()


Name = Annotated[str, AfterValidator(_policy_name)]


class LicensePolicy(BaseModel):
    """Which licences a corpus may contain; empty lists allow all.

    Of "A OR B" one must be permitted, of "A AND B" both. "A WITH exception" is permitted or denied
    where A is, as an exception only adds permissions. Names are compared literally:
    "GPL-2.0-or-later" is not "GPL-3.0-only". A file of unknown licence passes a deny list but no
    allow list; either list may contain "unknown". A file with a tag that cannot be read passes
    neither, whatever the lists contain: it states something, perhaps what they exclude.

    Attributes:
        allow: SPDX names; files under any other licence are dropped.
        deny: SPDX names; files under these licences are dropped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[Name, ...] = ()
    deny: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _lists_are_disjoint(self) -> "LicensePolicy":
        both = sorted(set(self.allow) & set(self.deny))
        if both:
            raise ValueError(f"{', '.join(both)}: both allowed and denied")
        return self

    def drops(self, license_: str | None) -> str | None:
        """The expression (or "unknown") if this policy drops it, None if it permits it."""
        if not self.allow and not self.deny:
            return None
        if license_ is not None and license_.startswith(UNREADABLE):
            return license_
        parsed = None if license_ is None else _parsed(license_)
        permitted = (
            _permits_name(self, {UNKNOWN}) if parsed is None else _permits_node(self, parsed)
        )
        return None if permitted else license_ or UNKNOWN


def _permits_node(policy: LicensePolicy, node: Any) -> bool:
    if isinstance(node, _licensing().OR):
        return any(_permits_node(policy, part) for part in node.args)
    if isinstance(node, _licensing().AND):
        return all(_permits_node(policy, part) for part in node.args)
    without_exception = getattr(node, "license_symbol", node)
    names = {node.render(), without_exception.render()}
    return _permits_name(policy, names | {UNKNOWN} if OWN_NAME.fullmatch(node.render()) else names)


def _permits_name(policy: LicensePolicy, names: set[str]) -> bool:
    return names.isdisjoint(policy.deny) and (
        not policy.allow or not names.isdisjoint(policy.allow)
    )


@lru_cache(maxsize=1024)
def _parsed(expression: str) -> Any:
    """The expression as a tree of `license-expression`, None if it is not valid SPDX."""
    from boolean import ParseError
    from license_expression import ExpressionError

    try:
        parsed = _licensing().parse(expression, strict=True)
        names = _licensing().unknown_license_keys(parsed)
    except (ExpressionError, ParseError, IndexError, AssertionError):
        return None  # the last two for odd brackets, as in "()" and "(OR (AND +"
    return parsed if all(map(OWN_NAME.fullmatch, names)) else None


@cache
def _licensing() -> Any:
    """SPDX's licences, loaded on first use: 50 ms that most commands do not need."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
