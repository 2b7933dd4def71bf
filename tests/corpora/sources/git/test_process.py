import os
import signal
from types import SimpleNamespace

import pytest

from corpora.errors import SourceError
from corpora.sources.git import process as git_process
from corpora.sources.git.process import (
    GitLimits,
    error_line,
    git,
    git_environment,
    git_output,
    read_output,
)
from tests.conftest import run_git
from tests.corpora.sources.git.trials import fetched, source_of, start, wrap_git
from tests.processes import alive, is_running, members, until

OWN = {
    "GIT_CONFIG_GLOBAL": "/home/me/.gitconfig",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "'user.name=Me'",
    "GIT_SSL_CAINFO": "/etc/ca.pem",
    "GIT_ALLOW_PROTOCOL": "https",
    "HTTPS_PROXY": "http://proxy:3128",
    "SSH_AUTH_SOCK": "/run/agent",
}


def test_the_users_own_configuration_reaches_git(monkeypatch):
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    assert git_environment().items() >= OWN.items()


def test_no_variable_leads_git_astray_or_runs_a_command(make_repository, tmp_path, monkeypatch):
    proof = tmp_path / "proof"
    hook = tmp_path / "template" / "hooks" / "reference-transaction"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    other = make_repository({"other.py": "2"}, "other")
    root = make_repository({"a.py": "1"})
    hostile = {
        **dict.fromkeys(("GIT_SSH_COMMAND", "GIT_SSH", "GIT_PROXY_COMMAND"), f"touch {proof};"),
        **dict.fromkeys(("GIT_ASKPASS", "GIT_EXTERNAL_DIFF", "GIT_PAGER"), f"touch {proof};"),
        **dict.fromkeys(("GIT_DIR", "GIT_COMMON_DIR"), str(other / ".git")),
        "GIT_TEMPLATE_DIR": str(tmp_path / "template"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
        "GIT_CONFIG": str(other / ".git/config"),
        "GIT_EXEC_PATH": str(tmp_path),
        "GIT_NAMESPACE": "nowhere",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TRACE": "1",
        "GIT_SHALLOW_FILE": str(tmp_path / "none"),
        "GIT_QUARANTINE_PATH": str(tmp_path),
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    snapshot, entries, _ = fetched(source_of(root), tmp_path / "out")
    assert [(e.path, content) for e, content in snapshot.read(entries)] == [("a.py", b"1")]
    with pytest.raises(SourceError):
        source_of("ssh://127.0.0.1:1/x").resolve()
    assert not proof.exists()
    assert not set(hostile) & set(git_environment())


def test_hooks_of_the_users_configuration_do_not_run(make_repository, plain_git, tmp_path):
    hook = tmp_path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/proof\n")
    hook.chmod(0o755)
    root = make_repository({"a.py": "1"})
    with plain_git.open("a") as file:
        file.write(f"[core]\n hooksPath = {hook.parent}\n")
    fetched(source_of(root), tmp_path / "out")
    assert not (tmp_path / "proof").exists()


def test_a_hostile_working_directory_is_not_looked_at(make_repository, tmp_path, monkeypatch):
    trap = make_repository({"a.py": "1"}, "trap")
    run_git(trap, "config", "core.sshCommand", f"touch {tmp_path}/proof;")
    run_git(trap, "config", f"url.file://{trap}.insteadOf", "https://example.invalid/x")
    monkeypatch.chdir(trap)
    for url in ("ssh://127.0.0.1:1/x", "https://example.invalid/x"):
        with pytest.raises(SourceError):
            source_of(url).resolve()
    assert not (tmp_path / "proof").exists()


def test_a_machine_without_git_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"^git is not installed"):
        source_of("https://example.invalid/x").resolve()


def test_git_dies_with_the_process_that_started_it():
    parent = start(
        "from corpora.sources.git.process import git\n"
        "with git(['-c', 'alias.x=!sleep 987', 'x']) as p:\n print(p.pid, flush=True); p.wait()\n"
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until(lambda: len(members(child)) > 1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(child))
    os.killpg(child, signal.SIGKILL)


def test_nothing_of_git_is_left_when_its_user_fails_in_between():
    with pytest.raises(ZeroDivisionError), git(["-c", "alias.x=!sleep 987", "x"]) as process:
        group = process.pid
        until(lambda: len(members(group)) > 1)
        _ = 1 // 0
    until(lambda: not members(group))


def test_a_child_that_outlives_git_and_holds_its_pipes_is_not_waited_for():
    command = "alias.x=!setsid sleep 987 & echo $!"
    left = int(git_output(["-c", command, "x"], about="x", limits=GitLimits(poll_seconds=0.05)))
    assert alive({left})
    os.kill(left, signal.SIGKILL)


def test_git_that_closes_its_pipes_and_stays_is_given_up(monkeypatch, tmp_path):
    folder = wrap_git(tmp_path / "bin", "exec >&- 2>&-; sleep 987")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with pytest.raises(SourceError, match="x: gave up"):
        git_output(["version"], about="x", limits=GitLimits(stall_seconds=0.3))


def test_time_in_which_nobody_listens_is_not_silence(monkeypatch):
    now = 0.0
    monkeypatch.setattr(git_process, "time", SimpleNamespace(monotonic=lambda: now))
    limits = GitLimits(poll_seconds=0.05)
    heard = []
    with git(["-c", "alias.x=!echo a; sleep 0.5; echo b", "x"]) as process:
        for _, piece in read_output(process, "x", limits):
            heard.append(piece)
            now += 2 * limits.stall_seconds
    assert heard == [b"a\n", b"b\n"]


def test_output_without_end_is_cut_off():
    with pytest.raises(SourceError, match="x: git lists more than 100,000 bytes"):
        git_output(["-c", "alias.x=!yes", "x"], about="x", limits=GitLimits(output_bytes=100_000))


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("Cloning\nfatal: repository 'x' not found\nhint: look\n", "repository 'x' not found"),
        ("ssh: no such host\nfatal: Could not read from remote repository.\n", "ssh: no such host"),
        ("fatal: remote error: \x1b[2Jgone\u202e\n", "remote error: ?[2Jgone?"),
        ("fatal: " + "x" * 9999, "x" * 500),
        ("", ""),
    ],
)
def test_the_error_line_of_git_are_the_line_that_tells(stderr, words):
    assert error_line(stderr) == words


def test_git_that_is_killed_without_a_word_says_by_what():
    with pytest.raises(SourceError, match=r"^x: git ended with -9$"):
        git_output(["-c", "alias.x=!kill -9 $PPID", "x"], about="x")
