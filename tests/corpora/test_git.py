import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from corpora.sources.git import GitSource
from corpora.sources.git_process import git_environment, last_words
from tests.conftest import commit, run_git


def source_of(*urls, **keys):
    repositories = [{"url": str(url), **keys} for url in urls]
    return GitSource.model_validate({"kind": "git", "repositories": repositories})


def fetched(source, directory):
    directory.mkdir()
    steps = list(source.fetch(source.resolve(), directory))
    snapshot = source.open(directory)
    return snapshot, list(snapshot.entries()), steps


def test_files_are_read_at_the_resolved_commit_without_a_work_tree(make_repository, tmp_path):
    root = make_repository({"b.py": "b = 1\n", "a/x y.py": "x\n", "empty.py": ""})
    source = source_of(root)
    resolution = source.resolve()
    commit(root, {"b.py": "b = 2\n"})
    (tmp_path / "out").mkdir()
    list(source.fetch(resolution, tmp_path / "out"))
    snapshot = source.open(tmp_path / "out")
    read = {entry.path: content for entry, content in snapshot.read(snapshot.entries())}
    assert read == {"a/x y.py": b"x\n", "b.py": b"b = 1\n", "empty.py": b""}
    assert not list((tmp_path / "out").rglob("b.py"))


def test_the_clone_is_shallow(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    commit(root, {"a.py": "2"})
    fetched(source_of(root), tmp_path / "out")
    assert run_git(tmp_path / "out/thing.git", "rev-list", "--count", "HEAD").strip() == "1"


def test_links_and_submodules_are_listed_with_the_problem(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    (root / "link.py").symlink_to("/etc/passwd")
    head = commit(root, {})
    run_git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    run_git(root, "commit", "--quiet", "--message", "a submodule")
    _, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert {e.path: e.problem for e in entries} == {
        "a.py": None,
        "link.py": "symbolic link",
        "sub": "submodule",
    }


def test_strange_names_become_valid_utf8(make_repository, tmp_path):
    root = make_repository({"new\nline.py": "1", "--help.py": "2"})
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.py")).write_bytes(b"3")
    commit(root, {})
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    read = {entry.path: content for entry, content in snapshot.read(entries)}
    assert read == {"new\nline.py": b"1", "--help.py": b"2", "caf%E9.py": b"3"}


def test_branches_and_tags_are_found_and_annotated_tags_peeled(make_repository):
    root = make_repository({"a.py": "1"})
    first = run_git(root, "rev-parse", "HEAD").strip()
    run_git(root, "tag", "--annotate", "v1", "--message", "one")
    commit(root, {"a.py": "2"})
    run_git(root, "branch", "side/v1")
    assert source_of(root, ref="v1").resolve() == {"thing": first}
    assert source_of(root, ref="side/v1").resolve() != {"thing": first}


def test_a_missing_ref_or_repository_is_one_clear_line(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    with pytest.raises(ValueError, match="has no branch or tag 'nosuch'"):
        source_of(root, ref="nosuch").resolve()
    with pytest.raises(ValueError, match=r"nothing-here: .*not appear to be a git repository"):
        source_of(tmp_path / "nothing-here").resolve()


@pytest.mark.parametrize(
    "url",
    ["--upload-pack=touch /tmp/x", "ext::sh -c true", "-x", "ftp://host/x", "https://-x", "thing"],
)
def test_urls_outside_the_allowed_schemes_are_refused(url):
    with pytest.raises(ValidationError, match="is not https://"):
        source_of(url)


@pytest.mark.parametrize("ref", ["--all", "a..b", "a b", "HEAD@{1}", "x.lock", "$(id)"])
def test_refs_that_are_more_than_a_name_are_refused(ref):
    with pytest.raises(ValidationError, match="is not a branch, a tag"):
        source_of("https://example.org/x", ref=ref)


def test_two_repositories_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="two repositories are called 'x'"):
        source_of("https://a.org/x", "https://b.org/x.git")


def test_the_users_mirrors_are_honoured(make_repository, plain_git, tmp_path):
    root = make_repository({"a.py": "1"})
    with plain_git.open("a") as file:
        file.write(f'[url "file://{root}"]\n insteadOf = https://github.com/a/thing\n')
    source = source_of("https://github.com/a/thing")
    _, entries, _ = fetched(source, tmp_path / "out")
    assert [entry.path for entry in entries] == ["a.py"]


def test_what_the_environment_could_run_does_not_reach_git(make_repository, tmp_path, monkeypatch):
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    proof = tmp_path / "proof"
    hook = hooks / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    root = make_repository({"a.py": "1"})
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(hooks.parent))
    fetched(source_of(root), tmp_path / "out")
    assert not proof.exists()
    assert "GIT_TEMPLATE_DIR" not in git_environment()


def test_what_a_killed_fetch_left_does_not_block_the_next(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    partial = tmp_path / "out" / "thing.partial"
    partial.mkdir(parents=True)
    (partial / "HEAD").write_text("half")
    source = source_of(root)
    list(source.fetch(source.resolve(), tmp_path / "out"))
    assert [e.path for e in source.open(tmp_path / "out").entries()] == ["a.py"]


def test_a_blob_that_is_gone_is_reported_as_missing(make_repository, tmp_path):
    root = make_repository({"a.py": "1", "b.py": "2"})
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    bare = tmp_path / "out" / "thing.git"
    packs = list((bare / "objects/pack").glob("*.pack"))
    for pack in packs:
        pack.rename(bare / "moved.pack")
        with (bare / "moved.pack").open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=bare, stdin=file, check=True)
        pack.with_suffix(".idx").unlink()
    blob = next(entry.handle for entry in entries if entry.path == "a.py")
    (bare / "objects" / blob[:2] / blob[2:]).unlink()
    assert [content for _, content in snapshot.read(entries)] == [None, b"2"]


def test_git_dies_with_the_process_that_started_it(tmp_path):
    marker = "sleep 987"
    script = (
        "from corpora.sources.git_process import git\n"
        f"with git(['-c', 'alias.x=!{marker}', 'x']) as p:\n print(p.pid, flush=True); p.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run(["pkill", "-f", marker], check=False)
    assert not alive(child)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_last_words_of_git_are_the_line_that_tells():
    stderr = "Cloning\nfatal: repository 'x' not found\nhint: look\n"
    assert last_words(stderr) == "repository 'x' not found"
    assert last_words("") == "git failed without a word"
