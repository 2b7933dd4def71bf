"""Text from outside, made safe to show: control characters visible, secrets masked, length bounded.

A server's reason, a file name, a title and an exception may contain terminal escapes, characters
that change the reading direction, megabytes, and URLs with a password or a token. `clean` is for
text of many lines, `shown` for one line.
"""

import re

MAX_LINE_CHARACTERS = 2_000
MAX_EXAMINED_CHARACTERS = 20_000
"""Bounds the time that masking takes; far more than any secret that starts in the part shown."""
MASK = "***"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SCHEME = r"(?P<scheme>[a-z][a-z0-9+.-]{0,20}://)"
_LOGIN = re.compile(
    # A password may contain an unescaped "/"; a port is no password.
    rf"{_SCHEME}(?P<login>[^\s/?#]*@|[^\s/@]*:(?!\d*[/?#])[^\s@]*@)",
    re.IGNORECASE,
)
_BARE_LOGIN = re.compile(r"[^/\s@]+:(?!//)[^\s@]*@")
_ENCODED_LOGIN = re.compile(r"(%3A%2F%2F)[^\s&/]*?(%40)", re.IGNORECASE)
_PRIVATE = (
    r"[\w.%~-]{0,64}?(?:token|key|key-?id|secret|passw(?:or)?d|pwd|pass|sig|signature|credentials?"
    r"|auth|authorization|jwt|session|session-?id)"
)
_PARAMETER = re.compile(rf"([?&;#])({_PRIVATE})=([^\s&;#'\"<>]+)", re.IGNORECASE)
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|private-token|job-token|x-api-key|(?:set-)?cookie)"
    r"(['\"]?\s*[:=]\s*['\"]?(?:(?:basic|bearer|token)\s+)?)[^\s'\",]+",
    re.IGNORECASE,
)
_LONG_LINE = re.compile(f"[^\n]{{{MAX_LINE_CHARACTERS + 1},}}")


def visible(text: str) -> str:
    """Replace control, direction and other invisible characters, except newlines and tabs."""
    return _INVISIBLE.sub(_symbol, text)


def masked(text: str) -> str:
    """Replace logins and secret parameters of all URLs, and secret headers, by `***`.

    A user name of ssh without a password stays: it is no secret, and part of the address.
    """
    text = _LOGIN.sub(_without_login, text)
    text = _ENCODED_LOGIN.sub(rf"\1{MASK}\2", text)
    text = _PARAMETER.sub(rf"\1\2={MASK}", text)
    return _HEADER.sub(rf"\1\2{MASK}", text)


def secret_in(url: str) -> str | None:
    """Which part of a URL is, or looks like, a secret; None if there is none. Never repeats it."""
    login = _LOGIN.search(url)
    if (login and _is_secret(login)) or _BARE_LOGIN.match(url):
        return "a user name or a password before '@'"
    parameter = _PARAMETER.search(url)
    return f"the parameter {parameter[2]!r}" if parameter else None


def clean(text: str) -> str:
    """Make text of any number of lines safe to show; long lines are cut."""
    bounded = _LONG_LINE.sub(lambda line: line[0][:MAX_EXAMINED_CHARACTERS], text)
    return _LONG_LINE.sub(_cut, visible(masked(bounded)))


def shown(text: str) -> str:
    """Make text safe to show, as one line."""
    return clean(" ".join(text.split()))


def _symbol(match: re.Match[str]) -> str:
    return f"\u27e8U+{ord(match[0]):04X}\u27e9"


def _is_secret(login: re.Match[str]) -> bool:
    return ":" in login["login"] or "ssh" not in login["scheme"].lower()


def _without_login(match: re.Match[str]) -> str:
    return f"{match['scheme']}{MASK}@" if _is_secret(match) else match[0]


def _cut(line: re.Match[str]) -> str:
    end = " ..."
    return line[0][: MAX_LINE_CHARACTERS - len(end)] + end
