import random
import time
from types import SimpleNamespace

import pytest

from corpora.errors import SourceError
from corpora.sources.git import process as git_process
from corpora.sources.git.fetch import fetch_repository, find_commit
from corpora.sources.git.process import GitLimits
from corpora.sources.git.repository import Repository
from corpora.sources.git.source import GitSource
from tests.conftest import commit, run_git
from tests.corpora.sources.git.server import Daemon, Silent, file_server, git_daemon, http_backend
from tests.corpora.sources.git.trials import fetched, source_of
from tests.processes import is_running, until

LIMIT = 1000
FILES = {"a.py": "a = 1\n", "exact.bin": "x" * LIMIT, "large.bin": "y" * (LIMIT + 1)}
LEFT_OUT = "larger than max_blob_bytes, 1,000: not fetched"


IMPATIENT = GitLimits(stall_seconds=1.0, poll_seconds=0.1)


@pytest.fixture(params=["file", "git", "http"])
def address(request, make_repository, tmp_path):
    make_repository(FILES)
    if request.param == "file":
        yield tmp_path / "thing"
    elif request.param == "git":
        with git_daemon(Daemon, root=tmp_path) as host:
            yield f"git://{host}/thing"
    else:
        with http_backend(tmp_path) as url:
            yield f"{url}/thing/.git"


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_large_blobs_are_left_out_whether_or_not_the_server_can(allowed, address, tmp_path):
    run_git(tmp_path / "thing", "config", "uploadpack.allowFilter", allowed)
    snapshot, entries, _ = fetched(source_of(address, max_blob_bytes=LIMIT), tmp_path / "out")
    assert {e.path: (e.size, e.problem) for e in entries} == {
        "a.py": (6, None),
        "exact.bin": (LIMIT, None),
        "large.bin": (0, LEFT_OUT),
    }
    present = [entry for entry in entries if entry.problem is None]
    assert [content for _, content in snapshot.read(present)] == [b"a = 1\n", b"x" * LIMIT]
    stored = run_git(tmp_path / "out/thing.git", "cat-file", "--batch-all-objects", "--batch-check")
    assert (f"blob {LIMIT + 1}" in stored) == (allowed == "false")


def test_without_a_limit_everything_is_fetched(make_repository, tmp_path):
    root = make_repository(FILES)
    run_git(root, "config", "uploadpack.allowFilter", "true")
    _, entries, _ = fetched(source_of(root, max_blob_bytes=0), tmp_path / "out")
    assert {e.path: e.problem for e in entries} == dict.fromkeys(FILES)


@pytest.mark.parametrize("version", ["0", "2"])
def test_what_was_left_out_is_never_asked_for_again(version, make_repository, plain_git, tmp_path):
    with plain_git.open("a") as file:
        file.write(f"[protocol]\n version = {version}\n")
    root = make_repository(FILES)
    run_git(root, "config", "uploadpack.allowFilter", "true")
    snapshot, entries, _ = fetched(source_of(root, max_blob_bytes=LIMIT), tmp_path / "out")
    assert "promisor" not in (tmp_path / "out/thing.git/config").read_text()
    with pytest.raises(SourceError, match=r"large\.bin cannot be read: is gone"):
        list(snapshot.read(entries))
    stored = run_git(tmp_path / "out/thing.git", "cat-file", "--batch-all-objects", "--batch-check")
    assert f"blob {LIMIT + 1}" not in stored


@pytest.mark.parametrize("scheme", ["git", "http"])
def test_a_server_that_says_nothing_is_given_up(scheme):
    gave_up = pytest.raises(SourceError, match=r"/thing: gave up, nothing came for 1 s$")
    with git_daemon(Silent) as host, gave_up:
        find_commit(Repository(url=f"{scheme}://{host}/thing"), limits=IMPATIENT)


def test_an_ssh_that_says_nothing_is_given_up_with_all_its_children(
    plain_git, tmp_path, monkeypatch
):
    pid = tmp_path / "pid"
    # The clock stops until ssh has started.
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() if pid.exists() else 0.0)
    monkeypatch.setattr(git_process, "time", clock)
    with plain_git.open("a") as file:
        file.write(f'[core]\n sshCommand = "echo $$ > {pid}; sleep 987; :"\n')
    with pytest.raises(SourceError, match="gave up"):
        find_commit(Repository(url="ssh://somewhere/thing"), limits=IMPATIENT)
    child = int(pid.read_text())
    until(lambda: not is_running(child))


def test_a_server_that_drips_is_given_up_in_the_middle_of_a_fetch(make_repository, tmp_path):
    make_repository({"a.bin": random.Random(0).randbytes(70_000)})
    (tmp_path / "out").mkdir()
    with git_daemon(Daemon, root=tmp_path, piece=1, pause=0.2, free=1500) as host:
        repository = Repository(url=f"git://{host}/thing")
        commit_id = find_commit(repository)
        assert commit_id
        limits = GitLimits(stall_seconds=2.0)
        with pytest.raises(SourceError, match="gave up, nothing came for 2 s"):
            list(fetch_repository(repository, commit_id, tmp_path / "out", limits=limits))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_a_slow_server_may_take_many_times_what_a_silent_one_may(make_repository, tmp_path):
    limits = GitLimits(stall_seconds=5.0)
    content = random.Random(0).randbytes(600_000)
    make_repository({"a.bin": content})
    with git_daemon(Daemon, root=tmp_path, pause=2.0, free=20_000) as host:
        began = time.monotonic()
        repository = Repository(url=f"git://{host}/thing")
        commit_id = find_commit(repository, limits=limits)
        assert commit_id
        (tmp_path / "out").mkdir()
        steps = list(fetch_repository(repository, commit_id, tmp_path / "out", limits=limits))
        assert time.monotonic() - began > 15
    snapshot = source_of(repository.url).open(tmp_path / "out")
    assert [read for _, read in snapshot.read(snapshot.entries())] == [content]
    assert steps


def test_a_server_that_gives_branches_and_tags_only_is_asked_for_those(
    make_repository, plain_git, tmp_path
):
    with plain_git.open("a") as file:
        file.write("[protocol]\n version = 0\n")
    root = make_repository({"a.py": "1"})
    run_git(root, "tag", "--annotate", "v1", "--message", "one")
    commit(root, {"a.py": "2"})
    with pytest.raises(SourceError, match="unadvertised object"):
        fetched(source_of(root, ref=run_git(root, "rev-parse", "v1^{}").strip()), tmp_path / "no")
    snapshot, entries, _ = fetched(source_of(root, ref="v1"), tmp_path / "out")
    assert [content for _, content in snapshot.read(entries)] == [b"1"]


def test_a_branch_that_was_rewritten_before_the_fetch_is_one_clear_line(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    source = source_of(root, ref="main")
    resolution = source.resolve()
    (tmp_path / "out").mkdir()
    run_git(root, "commit", "--amend", "--quiet", "--message", "another")
    run_git(root, "reflog", "expire", "--expire=now", "--all")
    run_git(root, "gc", "--quiet", "--prune=now")
    with pytest.raises(SourceError, match=r"commit \w{40} \(moved on while it was fetched"):
        list(source.fetch(resolution, tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("ref", ["HEAD", "main", "v1"])
def test_a_host_that_only_serves_files_is_asked_for_the_whole_history(
    make_repository, tmp_path, ref
):
    root = make_repository({"a.py": "1"})
    commit(root, {"a.py": "2"})
    run_git(root, "tag", "--annotate", "v1", "--message", "one")
    run_git(root, "gc", "--quiet")
    run_git(root, "update-server-info")
    with file_server(root / ".git") as url:
        repositories = [{"url": url, "ref": ref, "name": "thing"}]
        source = GitSource.model_validate({"kind": "git", "repositories": repositories})
        snapshot, entries, _ = fetched(source, tmp_path / "out")
    assert [content for _, content in snapshot.read(entries)] == [b"2"]
