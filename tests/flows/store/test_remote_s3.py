"""The remote store in a bucket, with a fake S3 on this machine."""

import pytest

from flows.errors import RemoteError, RemoteMisuseError, StageError
from flows.store.remote import Remote
from tests.flows.store.test_remote import Machine, content, no_pause

s3fs = pytest.importorskip("s3fs", reason="needs the extra s3")
server = pytest.importorskip("moto.server", reason="needs moto[server]")
pytestmark = [
    pytest.mark.slow,
    # Warnings of moto and botocore; ours are errors, as in all other tests.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures(no_pause.__name__),
]


@pytest.fixture
def endpoint(monkeypatch):
    """A new S3 server with the bucket `shared`, and credentials for it."""
    stand_in = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    stand_in.start()
    host, port = stand_in.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.call_s3("create_bucket", Bucket="shared")
    yield stand_in
    stand_in.stop()


def test_what_one_machine_finished_is_reused_by_another_through_a_bucket(tiny, tmp_path, endpoint):
    one, two = (Machine(tiny, tmp_path / name, "s3://shared/some/place") for name in "ab")
    one.exchange()
    keys = one.make()
    two.exchange()
    assert two.actions() == ["reuse", "reuse"]
    for stage, key in keys.items():
        folders = [m.store.runs(stage, "tiny").run(key).folder for m in (one, two)]
        assert content(folders[0]) == content(folders[1])


def test_what_was_sent_a_moment_ago_is_seen_by_a_store_that_looked_before(tiny, tmp_path, endpoint):
    one = Machine(tiny, tmp_path / "one", "s3://shared")
    remote = Remote.at("s3://shared")
    fetches = one.store.runs("fetch", "tiny")
    assert remote.newest(fetches, "") is None
    keys = one.make()
    assert remote.newest(fetches, keys["fetch"]) == fetches.run(keys["fetch"])
    assert remote.has(one.finished("corpus", keys["corpus"]))


def test_a_bucket_that_does_not_exist_is_said_in_one_line(tiny, tmp_path, endpoint):
    with pytest.raises(
        StageError, match=r"CHARMILL_REMOTE s3://other/x: FileNotFoundError: .*buck"
    ):
        Machine(tiny, tmp_path / "one", "s3://other/x").exchange()


def test_missing_credentials_are_said_in_one_line(tiny, tmp_path, endpoint, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StageError, match="NoCredentialsError: Unable to locate credentials"):
        Machine(tiny, tmp_path / "one", "s3://shared").exchange()


def test_an_s3_that_is_down_costs_a_warning_and_no_work(tiny, tmp_path, endpoint, caplog):
    endpoint.stop()
    one = Machine(tiny, tmp_path / "one", "s3://shared")
    with pytest.raises(RemoteError) as caught:
        Remote.at("s3://shared").check()
    assert not isinstance(caught.value, RemoteMisuseError)
    one.exchange()
    assert "the remote store is not used" in caplog.text
    keys = one.make()
    assert one.store.runs("corpus", "tiny").run(keys["corpus"]).is_finished
