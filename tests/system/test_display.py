import time

import pytest

from system.display import MAX_LINE_CHARACTERS, clean, masked, secret_in, shown
from system.errors import CharmillError
from tests.hostile import ALL, RAW, TERMINAL

SECRET = "c4n4ry"
WITH_SECRET = [
    f"https://{SECRET}@github.com/me/thing",
    f"https://user:{SECRET}@github.com/me/thing",
    f"https://oauth2:{SECRET}@gitlab.com/me/thing",
    f"https://user:pa/ss/{SECRET}@host/x",
    f"https://user:{SECRET}?#@host/x",
    f"HTTPS://{SECRET}@github.com/x",
    f"ssh://user:{SECRET}@host/x",
    f"git+ssh://user:{SECRET}@host/x",
    f"https://host/x?private_token={SECRET}",
    f"https://host/x?private%5Ftoken={SECRET}",
    f"https://host/x?a=1&access_token={SECRET}",
    f"https://host/x?sv=1&sig={SECRET}",
    f"https://host/x?X-Amz-Signature={SECRET}",
    f"https://host/x?X-Amz-Credential={SECRET}",
    f"https://host/x?AWSAccessKeyId={SECRET}",
    f"https://host/x?X-Goog-Signature={SECRET}",
    f"https://host/x?apikey={SECRET}",
    f"https://host/x;job_token={SECRET}",
    f"https://host/x#access_token={SECRET}",
]
HARMLESS = [
    "https://github.com/me/thing",
    "https://host:8080/a@b",
    "https://host/@scope/package",
    "ssh://git@host/x",
    "git@github.com:me/thing",
    "https://host/x?ref=main&page=2",
    "/a/path@2x",
    "file:///a/path@2x",
]


@pytest.mark.parametrize("url", WITH_SECRET)
def test_a_secret_in_a_url_is_recognised_and_masked_in_any_text(url):
    reason = secret_in(url)
    assert reason
    assert SECRET not in reason
    for text in (url, f"fatal: unable to access '{url}/': 403", f"<{url}> and {url}."):
        assert SECRET not in masked(text)
        assert SECRET not in str(CharmillError(text))
        assert SECRET not in repr(CharmillError(text))


@pytest.mark.parametrize("url", HARMLESS)
def test_a_url_without_a_secret_is_left_alone(url):
    assert secret_in(url) is None
    assert masked(f"'{url}': not found") == f"'{url}': not found"


def test_a_login_without_a_scheme_is_recognised():
    assert secret_in(f"user:{SECRET}@host:path")
    assert secret_in(f"http:/{SECRET}@host")


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"'PRIVATE-TOKEN': '{SECRET}'",
        f"http.extraHeader=Authorization: bearer {SECRET}",
        f"?next=https%3A%2F%2F{SECRET}%40host%2Fx",
    ],
)
def test_headers_and_encoded_urls_are_masked(text):
    assert SECRET not in masked(text)


@pytest.mark.parametrize("text", ALL)
def test_nothing_that_a_terminal_obeys_is_left(text):
    for safe in (clean(text), shown(text), str(CharmillError(text))):
        assert not set(safe) & set(RAW)
        safe.encode()
    assert "\n" not in shown(text)


def test_what_is_escaped_is_named():
    assert clean(TERMINAL[0]) == "\u27e8U+001B\u27e9[2J\u27e8U+001B\u27e9[31mred"
    assert clean(clean(TERMINAL[0])) == clean(TERMINAL[0])


def test_a_line_of_megabytes_is_cut_and_its_secret_does_not_survive_the_cut():
    long = "x" * (MAX_LINE_CHARACTERS - 20) + f" https://{'t' * 5000}@host/"
    assert "ttt" not in shown(long)
    assert len(shown("y" * 10**6)) == MAX_LINE_CHARACTERS
    assert clean("a\n" + "z" * 10**6 + "\nb").endswith(" ...\nb")


@pytest.mark.parametrize(
    "piece", ["a://b:c", "://", "a.a.", "%3A%2F%2F", "?token", "cookie=", ":@"]
)
def test_hostile_repetition_takes_no_time(piece):
    start = time.process_time()
    shown(piece * 300_000)
    assert time.process_time() - start < 5
