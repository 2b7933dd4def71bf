"""Find credentials that were committed by mistake: tokens of a recognisable format.

Only formats that services give their tokens are searched for, so ordinary code does not match, and
plain passwords are not found. The result is the kind, never the secret.
"""

import base64
import re

LEAST_DIFFERENT_CHARACTERS = 8
PLACEHOLDERS = (
    *("example", "placeholder", "xxxx", "0000", "1234567890"),
    "eby8vdm02xnocqflquwjpllmetlcdxj1",  # the key of Azure's emulator, the same everywhere
)


def _token(start: str, rest: str) -> re.Pattern[str]:
    """A token that does not begin or end in the middle of a word.

    The literal comes first and the look-behind second, so that text without the literal is scanned
    at over 1 GB/s. Repetitions must be bounded, or a long text could make matching slow.
    """
    return re.compile(rf"{start}(?<![A-Za-z0-9_-]{start}){rest}(?![A-Za-z0-9_])")


KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----).){0,300}?[A-Za-z0-9+/]{40}",
            re.DOTALL,
        ),
    ),
    (
        "private key",
        re.compile(
            r"PuTTY-User-Key-File-[23]:(?:(?!PuTTY-User-Key).){0,6000}?"
            r"Private-Lines: [0-9]{1,3}[\s\"'\\nr+]{1,40}[A-Za-z0-9+/]{40}",
            re.DOTALL,
        ),
    ),
    ("AWS access key", _token("AKIA", "[A-Z2-7]{16}")),
    ("AWS access key", _token("ASIA", "[A-Z2-7]{16}")),
    ("GitHub token", _token("gh[pousr]_", "[A-Za-z0-9]{36}")),
    ("GitHub token", _token("github_pat_", "[A-Za-z0-9]{22}_[A-Za-z0-9]{59}")),
    ("GitLab token", _token("gl", "(?:pat|ptt|oas|cbt|rt|dt|ft)-[A-Za-z0-9_.-]{20,300}")),
    ("Slack token", _token("xox[abeoprs]-", "[0-9]{8,14}-[A-Za-z0-9-]{16,90}")),
    ("Slack token", _token("xapp-", "[0-9]-[A-Z0-9]{8,14}-[0-9]{10,15}-[A-Za-z0-9]{16,90}")),
    (
        "Slack webhook",
        _token("hooks.slack.com/services/", "T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}"),
    ),
    ("Google API key", _token("AIza", "[A-Za-z0-9_-]{35}")),
    ("Google client secret", _token("GOCSPX-", "[A-Za-z0-9_-]{28}")),
    ("Stripe key", _token("sk_live_", "[A-Za-z0-9]{24,110}")),
    ("Stripe key", _token("rk_live_", "[A-Za-z0-9]{24,110}")),
    ("npm token", _token("npm_", "[A-Za-z0-9]{36}")),
    ("PyPI token", _token("pypi-AgEIcHlwaS5vcmc", "[A-Za-z0-9_-]{50,200}")),
    (
        "OpenAI key",
        _token(
            "sk-",
            "(?:proj-[A-Za-z0-9_-]{40,200}|[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100})",
        ),
    ),
    ("Anthropic key", _token("sk-ant-", "[a-z]{3,5}[0-9]{2}-[A-Za-z0-9_-]{80,120}")),
    ("Hugging Face token", _token("hf_", "[A-Za-z]{34}")),
    ("SendGrid key", _token(r"SG\.", r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")),
    ("DigitalOcean token", _token("do[opr]_v1_", "[0-9a-f]{64}")),
    ("Docker token", _token("dckr_[po]at_", "[A-Za-z0-9_-]{27,32}")),
    ("Azure storage key", _token("AccountKey=", "[A-Za-z0-9+/]{86}==")),
    (
        "JSON web token",
        _token(
            "eyJ",
            r"[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,1000}",
        ),
    ),
)


def secret_kind(text: str) -> str | None:
    """The kind of the first secret in `text`, None if there is none."""
    for kind, pattern in KINDS:
        if any(not _is_placeholder(found.group()) for found in pattern.finditer(text)):
            return kind
    return None


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
