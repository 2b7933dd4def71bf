"""A remote store that is missing, misconfigured or not set."""

import os

import pytest

from flows.errors import RemoteMisuseError, StageError
from flows.planning.exchange import shares
from flows.store.remote import Remote
from tests.flows.store.test_remote import Machine


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/shared", "expected s3://bucket/prefix or file:///folder"),
        ("gs://bucket", "expected s3://"),
        ("s3://", "expected s3://"),
        ("file:///no/such/folder", "FileNotFoundError: "),
    ],
)
def test_a_store_that_is_not_set_up_is_said_in_one_line(tiny, tmp_path, url, message):
    with pytest.raises(StageError, match=f"CHARMILL_REMOTE {url}: .*{message}") as caught:
        Machine(tiny, tmp_path / "one", url).exchange()
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(RemoteMisuseError, match=r"pip install 'charmill\[s3\]'"):
        Remote.at("s3://bucket/prefix")


def test_without_a_remote_nothing_is_shared(tiny):
    assert os.environ.get("CHARMILL_REMOTE") is None
    assert not shares(tiny.run(), tiny.settings)
