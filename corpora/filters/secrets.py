"""Find credentials that were committed by mistake: tokens of a recognisable format.

Only formats that services give their tokens are searched for, so ordinary code does not match, and
plain passwords are not found. The result is the kind, never the secret.
"""

import base64
import re
from dataclasses import dataclass
from functools import cache

from ahocorasick_rs import BytesAhoCorasick, MatchKind

LEAST_DIFFERENT_CHARACTERS = 8
PLACEHOLDERS = (
    *("example", "placeholder", "xxxx", "0000", "1234567890"),
    "eby8vdm02xnocqflquwjpllmetlcdxj1",  # the key of Azure's emulator, the same everywhere
)
PIECE = 2**16
"""Bytes in which words are searched at a time: a text may consist of nothing else."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A format of secrets.

    Attributes:
        words: every match of the pattern contains one of them.
    """

    name: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]


def _token(name: str, start: str, rest: str, words: str = "") -> Kind:
    """A token that does not begin or end in the middle of a word.

    The literal comes first and the look-behind second, so that text without the literal is scanned
    at over 1 GB/s. Repetitions must be bounded, or a long text could make matching slow.

    Args:
        words: of this kind, with blanks between them; "" if the start is the only one.
    """
    pattern = rf"{start}(?<![A-Za-z0-9_-]{start}){rest}(?![A-Za-z0-9_])"
    return Kind(name, tuple((words or start).split()), re.compile(pattern))


KINDS = (
    Kind(
        "private key",
        ("-----BEGIN ",),
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----).){0,300}?[A-Za-z0-9+/]{40}",
            re.DOTALL,
        ),
    ),
    Kind(
        "private key",
        ("PuTTY-User-Key-File-",),
        re.compile(
            r"PuTTY-User-Key-File-[23]:(?:(?!PuTTY-User-Key).){0,6000}?"
            r"Private-Lines: [0-9]{1,3}[\s\"'\\nr+]{1,40}[A-Za-z0-9+/]{40}",
            re.DOTALL,
        ),
    ),
    _token("AWS access key", "AKIA", "[A-Z2-7]{16}"),
    _token("AWS access key", "ASIA", "[A-Z2-7]{16}"),
    _token("GitHub token", "gh[pousr]_", "[A-Za-z0-9]{36}", "ghp_ gho_ ghu_ ghs_ ghr_"),
    _token("GitHub token", "github_pat_", "[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _token(
        "GitLab token",
        "gl",
        "(?:pat|ptt|oas|cbt|rt|dt|ft|agent|imt|soat)-[A-Za-z0-9_.-]{20,300}",
        "glpat- glptt- gloas- glcbt- glrt- gldt- glft- glagent- glimt- glsoat-",
    ),
    _token(
        "Slack token",
        "xox[abeoprs]-",
        "[0-9]{8,14}-[A-Za-z0-9-]{16,90}",
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs-",
    ),
    _token("Slack token", "xapp-", "[0-9]-[A-Z0-9]{8,14}-[0-9]{10,15}-[A-Za-z0-9]{16,90}"),
    _token(
        "Slack webhook",
        "hooks.slack.com/services/",
        "T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}",
        "com/services/",
    ),
    _token("Google API key", "AIza", "[A-Za-z0-9_-]{35}"),
    _token("Google client secret", "GOCSPX-", "[A-Za-z0-9_-]{28}"),
    _token("Stripe key", "sk_live_", "[A-Za-z0-9]{24,110}"),
    _token("Stripe key", "rk_live_", "[A-Za-z0-9]{24,110}"),
    _token("npm token", "npm_", "[A-Za-z0-9]{36}"),
    _token("PyPI token", "pypi-AgEIcHlwaS5vcmc", "[A-Za-z0-9_-]{50,200}"),
    _token(
        "OpenAI key",
        "sk-",
        "(?:proj-[A-Za-z0-9_-]{40,200}|[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100})",
        "sk-proj- T3BlbkFJ",
    ),
    _token("Anthropic key", "sk-ant-", "[a-z]{3,5}[0-9]{2}-[A-Za-z0-9_-]{80,120}"),
    _token("Hugging Face token", "hf_", "[A-Za-z]{34}"),
    _token("SendGrid key", r"SG\.", r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SG."),
    _token("DigitalOcean token", "do[opr]_v1_", "[0-9a-f]{64}", "doo_v1_ dop_v1_ dor_v1_"),
    _token("Docker token", "dckr_[po]at_", "[A-Za-z0-9_-]{27,32}", "dckr_pat_ dckr_oat_"),
    _token(
        "Shopify token", "shp(?:at|ca|pa|ss)_", "[a-fA-F0-9]{32}", "shpat_ shpca_ shppa_ shpss_"
    ),
    _token("Vault token", r"hvs\.", "[A-Za-z0-9_-]{90,120}", "hvs."),
    _token("age key", "AGE-SECRET-KEY-1", "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _token("RubyGems key", "rubygems_", "[0-9a-f]{48}"),
    _token("Postman key", "PMAK-", "[0-9a-f]{24}-[0-9a-f]{34}"),
    _token("Grafana token", "glsa_", "[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    _token("Linear key", "lin_api_", "[A-Za-z0-9]{40}"),
    _token("Azure storage key", "AccountKey=", "[A-Za-z0-9+/]{86}=="),
    _token(
        "JSON web token",
        "eyJ",
        r"[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,1000}",
    ),
)
WORDS = tuple(word.encode() for kind in KINDS for word in kind.words)


def secret_kind(text: str) -> str | None:
    """The kind of the first secret in `text`, None if there is none."""
    if not _has_word(text.encode("utf-8", "surrogatepass")):
        return None
    for kind in KINDS:
        if any(not _is_placeholder(found.group()) for found in kind.pattern.finditer(text)):
            return kind.name
    return None


def _has_word(content: bytes) -> bool:
    """Whether a text in UTF-8 has a word of any kind: one pass instead of one for every kind."""
    overlap = max(map(len, WORDS)) - 1
    pieces = memoryview(content)
    return any(
        _words().find_matches_as_indexes(pieces[begin : begin + PIECE + overlap])
        for begin in range(0, len(content), PIECE)
    )


@cache
def _words() -> BytesAhoCorasick:
    # Only of this sort of matches are some words searched with the vector instructions of a CPU.
    return BytesAhoCorasick(WORDS, matchkind=MatchKind.LeftmostFirst)


def _is_placeholder(token: str) -> bool:
    """Whether this only looks like a secret, as in documentation and tests."""
    lower = (token + _payload(token)).lower()
    return len(set(token)) < LEAST_DIFFERENT_CHARACTERS or any(
        word in lower for word in PLACEHOLDERS
    )


def _payload(token: str) -> str:
    """What a JSON web token says; those of documentation speak of user 1234567890."""
    if not token.startswith("eyJ"):
        return ""
    middle = token.split(".")[1]
    return base64.urlsafe_b64decode(middle[: len(middle) // 4 * 4]).decode("ascii", "ignore")
