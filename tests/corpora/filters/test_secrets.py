"""Tokens here are assembled from parts, so that no file of the project seems to contain one."""

import base64
import random
import string
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.filters.secrets import KINDS, PIECE, Kind, secret_kind

WORD = string.ascii_letters + string.digits


def some(length: int, alphabet: str = WORD) -> str:
    return "".join(random.Random(length).choices(alphabet, k=length))


KEY = "-----BEGIN " + "{}PRIVATE KEY-----"
PUTTY = (
    "PuTTY-User-Key-"
    "File-3: ssh-rsa\nEncryption: none\nComment: me\nPublic-Lines: 1\n"
    + some(64)
    + "\nPrivate-Lines: 14\n"
)


def web_token(header: str, payload: str) -> str:
    parts = (
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload)
    )
    return ".".join((*parts, some(43)))


SECRETS = [
    ("private key", KEY.format("RSA ") + "\n" + some(64) + "\n" + some(64)),
    ("private key", f'key = "{KEY.format("")}\\n"\n      "{some(64)}\\n"'),
    ("private key", KEY.format("EC ") + "\nProc-Type: 4,ENCRYPTED\n\n" + some(64)),
    ("AWS access key", "AKIA" + some(16, string.ascii_uppercase + "234567")),
    ("AWS access key", "ASIA" + some(16, string.ascii_uppercase + "234567")),
    ("GitHub token", "ghp_" + some(36)),
    ("GitHub token", "github_pat_" + some(22) + "_" + some(59)),
    ("GitLab token", "glpat-" + some(20)),
    ("GitLab token", "glrt-" + some(20)),
    (
        "Slack token",
        "xapp-" + "1-A" + some(10, "23456BCD") + "-" + some(13, "12345678") + "-" + some(64),
    ),
    ("OpenAI key", "sk-" + some(20) + "T3Blbk" + "FJ" + some(20)),
    ("OpenAI key", "sk-svcacct-" + some(74) + "T3Blbk" + "FJ" + some(74)),
    ("Docker token", "dckr_pat_" + some(27)),
    ("Azure storage key", "Account" + "Key=" + some(86) + "=="),
    ("private key", PUTTY + some(64) + "\n"),
    ("private key", PUTTY.replace("\n", "\\n") + some(64)),
    ("Slack token", "xoxb-" + some(12, "12345678") + "-" + some(24)),
    (
        "Slack webhook",
        "https://hooks.slack.com/services/T"
        + some(9, "ABCDEF")
        + "/B"
        + some(10, "ABCDEF")
        + "/"
        + some(24),
    ),
    ("Google API key", "AIza" + some(35)),
    ("Google client secret", "GOCSPX-" + some(28)),
    ("Stripe key", "sk_live_" + some(24)),
    ("Stripe key", "rk_live_" + some(99)),
    ("npm token", "npm_" + some(36)),
    ("PyPI token", "pypi-AgEIcHlwaS5vcmc" + some(120)),
    ("OpenAI key", "sk-proj-" + some(120)),
    ("Anthropic key", "sk-ant-" + "api03-" + some(95)),
    ("Hugging Face token", "hf_" + some(34, string.ascii_letters)),
    ("SendGrid key", "SG." + some(22) + "." + some(43)),
    ("DigitalOcean token", "dop_v1_" + some(64, "123456789abcdef")),
    ("GitLab token", "glagent-" + some(50)),
    ("Shopify token", "shpat_" + some(32, "123456789abcdef")),
    ("Vault token", "hvs." + some(95)),
    ("age key", "AGE-SECRET-" + "KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")),
    ("RubyGems key", "rubygems_" + some(48, "123456789abcdef")),
    ("Postman key", "PMAK-" + some(24, "123456789abcdef") + "-" + some(34, "123456789abcdef")),
    ("Grafana token", "glsa_" + some(32) + "_" + some(8, "123456789abcdef")),
    ("Linear key", "lin_api_" + some(40)),
    ("JSON web token", "eyJ" + some(30) + ".eyJ" + some(60) + "." + some(43)),
]


@pytest.mark.parametrize(("kind", "secret"), SECRETS)
@pytest.mark.parametrize("around", ["{}", 'token = "{}"\n', "https://x.org/?k={}&b=1"])
def test_a_secret_is_found_wherever_it_stands(kind: str, secret: str, around: str):
    assert secret_kind("import os\n" + around.format(secret)) == kind


def test_every_kind_has_an_example():
    assert {kind for kind, _ in SECRETS} == {kind.name for kind in KINDS}


# The pattern of every other kind begins with its word.
WORDY = [kind for kind in KINDS if not kind.pattern.pattern.startswith(kind.words)]


@pytest.mark.parametrize("kind", WORDY, ids=lambda kind: kind.words[0])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_match_of_a_kind_contains_a_word_of_it(kind: Kind, data: st.DataObject):
    match = kind.pattern.search(data.draw(st.from_regex(kind.pattern)))
    assert match
    assert any(word in match.group() for word in kind.words)


@pytest.mark.parametrize("place", range(-25, 1))
def test_a_secret_across_two_pieces_is_found(place: int):
    text = " " * (PIECE + place) + "github_pat_" + some(22) + "_" + some(59)
    assert secret_kind(text) == "GitHub token"


def test_the_answer_never_holds_the_secret():
    assert all(secret not in kind for kind, secret in SECRETS)


@pytest.mark.parametrize(
    "text",
    [
        "key = 'AKIAIOSFODNN7EXAMPLE'",
        "token = 'ghp_" + "x" * 36 + "'",
        "hf_" + "token" * 3,
        f'if line.startswith("{KEY.format("RSA ")}"): return parse_private_key(line, password)',
        "static int hf_" + "abcdefghij" * 4 + "_count;",
        "MYAKIA" + some(16, string.ascii_uppercase),
        "a_sk_live_" + some(30),
        "eyJhbGciOiJIUzI1NiJ9 is the header of a token",
        web_token('{"alg":"HS256"}', '{"sub":"1234567890","name":"John Doe","iat":1516239022}'),
        web_token('{"alg":"HS256"}', '{"iss":"joe","http://example.com/is_root":true}'),
        "Account" + "Key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1" + some(54) + "==",
        "PuTTY-User-Key-" + "File-2: is the first line of a key",
        "a desk-" + some(60),
        "glrt-short",
    ],
)
def test_what_only_looks_like_a_secret_is_none(text: str):
    assert secret_kind(text) is None


def test_a_placeholder_does_not_hide_the_secret_after_it():
    assert secret_kind("ghp_" + "x" * 36 + "\nghp_" + some(36)) == "GitHub token"


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "eyJ.",
        "eyJ" + "a" * 900 + ".",
        " eyJaaaaaaaaaa.eyJaaaaaaaaaa",
        "ghp_",
        "SG.",
        "sk-proj-",
        "AKIA",
        "sk-",
        "sk-" + "a" * 40,
        "PuTTY-User-Key-" + "File-2:",
        "PuTTY-User-Key-" + "File-2:" + "Private-Lines: 1 " * 300,
        KEY.format(""),
        KEY.format("") + " a" * 200,
        "-----BEGIN A A A ",
    ],
)
def test_no_megabyte_makes_the_search_slow(unit: str):
    text = unit * (1_000_000 // len(unit))
    begin = time.process_time()
    secret_kind(text)
    assert time.process_time() - begin < 1
