import errno
import os
import random
import signal
import subprocess
import sys

import pytest

from corpora.errors import SourceError
from corpora.sources.git.fetch import find_commit
from corpora.sources.git.process import failure
from corpora.sources.git.snapshot import list_tree
from tests.conftest import commit, run_git
from tests.corpora.sources.git.server import Daemon, git_daemon
from tests.corpora.sources.git.trials import fetched, source_of, start, wrap_git

FILES = {f"{n}.py": f"number = {n}\n" * 50 for n in range(50)}
AGAIN = r"is damaged \(.*\); fetch it again: --from fetch --force$"


@pytest.fixture
def store(make_repository, tmp_path):
    """A fetched repository, its snapshot and its entries."""
    snapshot, entries, _ = fetched(source_of(make_repository(FILES)), tmp_path / "out")
    bare = tmp_path / "out/thing.git"
    (pack,) = (bare / "objects/pack").glob("*.pack")
    for path in (pack, pack.with_suffix(".idx")):
        path.chmod(0o644)
    return bare, pack, snapshot, entries


def unpack(bare, pack, entries):
    """Unpack every object into a file; returns those of the entries by path."""
    pack.rename(bare / "moved.pack")
    pack.with_suffix(".idx").unlink()
    with (bare / "moved.pack").open("rb") as file:
        subprocess.run(["git", "unpack-objects", "-q"], cwd=bare, stdin=file, check=True)
    return {e.path: bare / "objects" / e.handle[:2] / e.handle[2:] for e in entries}


def read_all(snapshot):
    return [content for _, content in snapshot.read(snapshot.entries())]


def test_a_store_that_is_whole_is_read(store):
    _, _, snapshot, _ = store
    assert sorted(read_all(snapshot)) == sorted(text.encode() for text in FILES.values())


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_a_truncated_pack_or_index_is_one_clear_error(suffix, store):
    bare, pack, snapshot, entries = store
    path = pack.with_suffix(suffix)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (lambda: list(snapshot.entries()), lambda: list(snapshot.read(entries))):
        with pytest.raises(SourceError, match=rf"^{bare}: {AGAIN}"):
            read()


def test_any_flipped_bit_in_a_pack_is_an_error_or_changes_nothing(store):
    bare, pack, snapshot, _ = store
    whole, expected = pack.read_bytes(), read_all(snapshot)
    failed = 0
    for place in range(12, len(whole) - 20, len(whole) // 40):
        pack.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            assert read_all(snapshot) == expected
        except SourceError as error:
            failed += 1
            assert str(error).startswith(f"{bare}: is damaged (")
    assert failed > 20


def test_a_blob_that_is_gone_is_an_error_and_not_a_shorter_corpus(store):
    bare, pack, snapshot, entries = store
    unpack(bare, pack, entries)["7.py"].unlink()
    with pytest.raises(SourceError, match=r"is damaged \(7\.py is gone\)"):
        list(snapshot.entries())
    with pytest.raises(SourceError, match=r"is damaged \(7\.py cannot be read: is gone\)"):
        list(snapshot.read(entries))


def test_content_that_is_not_what_its_name_says_is_an_error(store):
    bare, pack, snapshot, entries = store
    loose = unpack(bare, pack, entries)
    loose["1.py"].chmod(0o644)
    loose["1.py"].write_bytes(loose["2.py"].read_bytes())
    with pytest.raises(SourceError, match=r"is damaged \(1\.py cannot be read"):
        list(snapshot.read(entries))


def test_a_store_without_its_head_is_not_looked_for_further_up(store, tmp_path):
    bare, _, snapshot, entries = store
    run_git(tmp_path, "init", "--quiet")
    commit(tmp_path, {"someone-elses.py": "1"})
    (bare / "HEAD").unlink()
    with pytest.raises(SourceError, match=AGAIN):
        list(snapshot.entries())
    with pytest.raises(SourceError, match=AGAIN):
        list(snapshot.read(entries))


def test_the_first_part_of_a_branchs_name_names_the_branch(make_repository):
    root = make_repository({"a.py": "1"})
    for name in ("feature/b", "feature/a/c", "features"):
        run_git(root, "branch", name)
    expected = "has no branch or tag 'feature', but feature/a/c, feature/b: set one as `ref`$"
    with pytest.raises(SourceError, match=expected):
        source_of(root, ref="feature").resolve()


def test_a_missing_ref_or_repository_is_one_clear_line(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    with pytest.raises(SourceError, match="has no branch or tag 'nosuch'"):
        source_of(root, ref="nosuch").resolve()
    with pytest.raises(SourceError, match=r"nothing-here: .*not appear to be a git repository$"):
        source_of(tmp_path / "nothing-here").resolve()
    run_git(root, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    with pytest.raises(SourceError, match="is empty, or its HEAD names no branch: give a `ref`"):
        source_of(root).resolve()
    run_git(root, "symbolic-ref", "HEAD", "refs/heads/main")
    run_git(root, "tag", "file", "HEAD:a.py")
    with pytest.raises(SourceError, match="non-commit object"):
        fetched(source_of(root, ref="file"), tmp_path / "out")


def test_an_empty_repository_is_one_clear_line(tmp_path):
    run_git(tmp_path, "init", "--quiet", "--bare", "empty")
    with pytest.raises(SourceError, match=r"/empty: is empty, or its HEAD"):
        source_of(tmp_path / "empty").resolve()


def test_a_repository_of_another_owner_is_one_clear_line_if_git_minds(make_repository):
    root = make_repository({"a.py": "1"})
    try:
        found = find_commit(
            source_of(root).repositories[0], {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
        )
    except SourceError as error:
        assert f"{root}: detected dubious ownership in repository at" in str(error)
        assert "\n" not in str(error)
    else:
        assert found == run_git(root, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("what", ["pack", "blob"])
def test_a_broken_repository_of_someone_else_is_one_clear_line(what, make_repository, tmp_path):
    root = make_repository({"a.py": "1" * 1000, "b.py": "2" * 1000})
    if what == "pack":
        run_git(root, "repack", "-adq")
        (path,) = (root / ".git/objects/pack").glob("*.pack")
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:100])
    else:
        blob = run_git(root, "rev-parse", "HEAD:a.py").strip()
        (root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SourceError, match=r"/thing: [^\n]+$"):
        fetched(source_of(root), tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_what_a_killed_fetch_left_does_not_block_the_next(make_repository, tmp_path):
    content = bytes(range(256)) * 300
    root = make_repository({"a.py": "1"} | {f"{n}.bin": content[n:] for n in range(3)})
    (tmp_path / "out").mkdir()
    with git_daemon(Daemon, root=tmp_path, piece=10, pause=0.2, free=900) as host:
        url = f"git://{host}/thing"
        parent = start(
            "from pathlib import Path\n"
            "from corpora.sources.git.source import GitSource\n"
            f"source = GitSource(kind='git', repositories=[{{'url': {url!r}}}])\n"
            f"for step in source.fetch(source.resolve(), Path({str(tmp_path / 'out')!r})):\n"
            " print(step.done, flush=True)\n"
        )
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thing.partial"]
    (tmp_path / "out/thing.partial/shallow.lock").touch()
    source = source_of(root)
    list(source.fetch(source.resolve(), tmp_path / "out"))
    assert len(list(source.open(tmp_path / "out").entries())) == 4
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thing.git"]


def test_a_fetch_that_nobody_wants_any_more_leaves_nothing(make_repository, tmp_path):
    root = make_repository(FILES)
    source = source_of(root)
    (tmp_path / "out").mkdir()
    fetch = source.fetch(source.resolve(), tmp_path / "out")
    next(fetch)
    fetch.close()
    assert not list((tmp_path / "out").iterdir())


def test_a_full_disk_names_the_path_and_leaves_nothing(make_repository, tmp_path):
    root = make_repository({"large.bin": random.Random(0).randbytes(300_000)})
    (tmp_path / "out").mkdir()
    # Beyond the file size limit a write fails as on a full disk, if the signal is ignored.
    folder = wrap_git(tmp_path / "bin", "trap '' XFSZ")
    script = (
        "import resource\nfrom pathlib import Path\n"
        "from corpora.sources.git.source import GitSource\n"
        f"source = GitSource(kind='git', repositories=[{{'url': {str(root)!r}}}])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        f" list(source.fetch(source.resolve(), Path({str(tmp_path / 'out')!r})))\n"
        "except OSError as error:\n print(error.errno, error.filename)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{errno.EFBIG} {tmp_path / 'out/thing.partial'}\n"
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("stderr", "number"),
    [
        ("fatal: write error: No space left on device\nfatal: fetch-pack: x\n", errno.ENOSPC),
        ("error: unable to write file a: Disk quota exceeded\n", errno.EDQUOT),
        ("remote: fatal: write error: No space left on device\nfatal: early EOF\n", None),
    ],
)
def test_a_full_disk_here_is_told_from_one_over_there(stderr, number, tmp_path):
    done = subprocess.Popen(["true"])
    done.wait()
    error = failure(done, stderr, "x", tmp_path)
    assert getattr(error, "errno", None) == number
    assert isinstance(error, OSError if number else SourceError)


@pytest.mark.parametrize(
    "line", [b"100644", b"100644 blob x 4\ta", b"100644 blob \xff 4\ta", b"\t"]
)
def test_a_listing_that_git_never_prints_is_one_line(line, tmp_path, monkeypatch):
    (tmp_path / "output").write_bytes(line + b"\0")
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/output"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(SourceError, match=r"is damaged \(git lists"):
        list(list_tree(tmp_path))
