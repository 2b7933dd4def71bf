import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from corpora.errors import SourceError
from corpora.sources.git.fetch import fetch_repository
from corpora.sources.git.process import GitLimits
from corpora.sources.git.repository import Repository
from corpora.sources.github.outcomes import RepositoryOutcome
from tests.conftest import commit, run_git
from tests.corpora.sources.git.trials import add_tree, commit_tree, fetched, source_of, wrap_git


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/x",
        "ext::sh -c true",
        "-x",
        "ftp://host/x",
        "https://-x",
        "ssh://-oProxyCommand=x/y",
        "-oProxyCommand=x@host:y",
        "-x@host:path",
        "me@-x:path",
        "me@host:-x",
        "thing",
        "/tmp/a\nb",
        "/tmp/a\0b",
        "https://host/\x1b[2J",
    ],
)
def test_urls_outside_the_allowed_schemes_are_refused(url):
    with pytest.raises(ValidationError, match="is not https://"):
        source_of(url)


@pytest.mark.parametrize(
    "ref",
    [
        "--all",
        "-x",
        "a..b",
        "a b",
        "HEAD@{1}",
        "x.lock",
        "~a",
        "a^",
        "a\\b",
        ".a",
        "a/.b",
        "@",
        "a.",
        "a/",
        "/a",
        "+a",
        "a\u202eb",
        "a:b",
        "a\n",
        "refs/*",
    ],
)
def test_refs_that_are_more_than_a_name_are_refused(ref):
    with pytest.raises(ValidationError, match="is not a branch, a tag"):
        source_of("https://example.org/x", ref=ref)


@pytest.mark.parametrize("name", ["--x", "-x", "..", "a/b", "a b", "a\n"])
def test_names_that_are_more_than_a_name_are_refused(name):
    with pytest.raises(ValidationError, match="name"):
        source_of("https://example.org/x", name=name)


@pytest.mark.parametrize("url", ["https://me:secret@host/x", "ssh://me:secret@host/x"])
def test_a_password_in_a_url_is_refused_before_it_is_kept_anywhere(url):
    with pytest.raises(ValidationError, match="contains a user name or a password"):
        source_of(url)


@pytest.mark.parametrize("url", ["--upload-pack=x", "ext::sh -c x", "-x", "https://[x"])
def test_what_github_gives_as_an_address_is_judged_like_any_other(url):
    outcome = RepositoryOutcome(
        full_name="a/--upload-pack=x",
        fate="kept",
        detail="",
        clone_url=url,
        license="MIT",
        private=False,
    )
    with pytest.raises(SourceError, match="not a repository that git can fetch"):
        _ = outcome.repository


@pytest.mark.parametrize("where", [".", ".git"])
def test_nothing_in_a_ready_repository_runs(where, make_repository, tmp_path):
    proof = tmp_path / "proof"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\necho $0 >> {proof}\nexit 0\n")
    script.chmod(0o755)
    root = make_repository({"a.py": "1", ".gitattributes": "* filter=x diff=x\n"})
    (root / ".gitmodules").write_text(f'[submodule "x"]\n path = x\n url = "ext::{script}"\n')
    head = commit(root, {})
    run_git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},x")
    run_git(root, "commit", "--quiet", "--message", "a submodule")
    (root / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("pre-receive", "reference-transaction", "post-checkout", "pre-auto-gc"):
        (root / ".git/hooks" / hook).symlink_to(script)
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.pager",
        "core.editor",
        "core.alternateRefsCommand",
        "uploadpack.packObjectsHook",
        "filter.x.smudge",
        "filter.x.process",
        "diff.external",
        "diff.x.textconv",
        "credential.helper",
        "gpg.program",
        "remote.origin.uploadpack",
        "remote.origin.vcs",
    ):
        run_git(root, "config", key, str(script))
    run_git(root, "config", "remote.origin.url", f"ext::{script}")
    run_git(root, "config", "remote.origin.promisor", "true")
    run_git(root, "config", "protocol.ext.allow", "always")
    (root / ".git/hooks/post-checkout").chmod(0o755)
    snapshot, entries, _ = fetched(source_of(root / where, name="x"), tmp_path / "out")
    read = dict(snapshot.read([e for e in entries if e.problem is None]))
    assert {e.path: c for e, c in read.items()}["a.py"] == b"1"
    assert not proof.exists()


def test_a_ready_partial_clone_does_not_fetch_what_it_lacks(make_repository, tmp_path):
    root = make_repository({"a.py": "1", "b.py": "2"})
    run_git(root, "config", "uploadpack.allowFilter", "true")
    script = tmp_path / "evil"
    script.write_text(f'#!/bin/sh\ntouch {tmp_path}/proof\nexec git upload-pack "$@"\n')
    script.chmod(0o755)
    run_git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", f"file://{root}", "lacks")
    run_git(tmp_path / "lacks", "config", "remote.origin.uploadpack", str(script))
    with pytest.raises(SourceError, match=r"lacks: "):
        fetched(source_of(tmp_path / "lacks"), tmp_path / "out")
    assert not (tmp_path / "proof").exists()


def test_strange_names_become_valid_utf8(make_repository, tmp_path):
    files = {"new\nline.py": "1", "--help.py": "2", "twin.py": "4", "TWIN.py": "5"}
    root = make_repository(files | {"n" * 250 + ".py": "6", "\x1b[2J.py": "7"})
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.py")).write_bytes(b"3")
    commit(root, {})
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    read = {entry.path: content for entry, content in snapshot.read(entries)}
    expected = {name: content.encode() for name, content in files.items()}
    more = {"caf%E9.py": b"3", "n" * 250 + ".py": b"6", "\x1b[2J.py": b"7"}
    assert read == expected | more


def test_paths_no_disk_could_hold_are_only_names(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    blob = run_git(root, "rev-parse", "HEAD:a.py").strip()
    tree = add_tree(root, f"100644 blob {blob}\t{'n' * 100_000}.py\0".encode())
    up = add_tree(root, b"100644 up.py\0" + bytes.fromhex(blob), raw=True)
    listing = b"40000 ..\0" + bytes.fromhex(up) + b"40000 long\0" + bytes.fromhex(tree)
    commit_tree(root, add_tree(root, listing, raw=True))
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [entry.path for entry in entries] == ["../up.py", f"long/{'n' * 100_000}.py"]
    assert [content for _, content in snapshot.read(entries)] == [b"1", b"1"]


def test_two_files_of_one_name_are_told_apart(make_repository, tmp_path):
    root = make_repository({"a.py": "1", "b.py": "2", "caf%E9.py": "3"})
    blobs = [run_git(root, "rev-parse", f"HEAD:{name}.py").strip() for name in "ab"]
    names = [b"caf%E9.py", b"caf\xe9.py", b"x.py", b"x.py"]
    listing = b"".join(
        b"100644 " + name + b"\0" + bytes.fromhex(blob)
        for name, blob in zip(names, blobs * 2, strict=True)
    )
    commit_tree(root, add_tree(root, listing, raw=True))
    _, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [(e.path, e.problem) for e in entries] == [
        ("caf%E9.py", None),
        ("caf%E9.py", "two files of this name"),
        ("x.py", None),
        ("x.py", "two files of this name"),
    ]


def test_a_tree_that_calls_itself_a_file_is_no_file(make_repository, tmp_path):
    root = make_repository({"a.py": "1", "d/b.py": "2"})
    blob, tree = (run_git(root, "rev-parse", f"HEAD:{name}").strip() for name in ("a.py", "d"))
    listing = b"100644 a.py\0" + bytes.fromhex(blob) + b"100644 d.py\0" + bytes.fromhex(tree)
    commit_tree(root, add_tree(root, listing, raw=True))
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [(e.path, content) for e, content in snapshot.read(entries)] == [
        ("a.py", b"1"),
        ("d.py", None),
    ]


def test_a_few_trees_that_list_as_billions_of_files_are_refused(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    tree = run_git(root, "rev-parse", "HEAD^{tree}").strip()
    for _ in range(9):
        tree = add_tree(root, b"".join(f"040000 tree {tree}\td{n}\0".encode() for n in range(10)))
    commit_tree(root, tree)
    commit_id = run_git(root, "rev-parse", "main").strip()
    limits = GitLimits(output_bytes=1_000_000)
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match="git lists more than 1,000,000 bytes"):
        list(
            fetch_repository(Repository(url=str(root)), commit_id, tmp_path / "out", limits=limits)
        )
    assert not list((tmp_path / "out").iterdir())


def test_a_branch_of_a_name_that_is_no_text_is_no_hindrance(make_repository, tmp_path):
    root = make_repository({"a.py": "1"})
    packed = root / ".git/packed-refs"
    head = run_git(root, "rev-parse", "HEAD").strip()
    packed.write_bytes(f"{head} refs/heads/".encode() + b"caf\xe9/main\n")
    assert source_of(root, ref="main").resolve() == {"thing": head}


def test_numbers_that_a_server_makes_up_are_not_believed(make_repository, tmp_path, monkeypatch):
    root = make_repository({"a.py": "1"})
    line = f"remote: Counting objects:  1% (1/{'9' * 400})"
    before = f'case "$*" in *" fetch "*) echo "{line}" >&2; printf "%200000d" 0 >&2;; esac'
    folder = wrap_git(tmp_path / "bin", before)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    _, entries, steps = fetched(source_of(root), tmp_path / "out")
    assert [entry.path for entry in entries] == ["a.py"]
    assert all(step.total is None or step.total < 10 for step in steps)
