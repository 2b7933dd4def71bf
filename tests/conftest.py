"""What every test finds: one thread, and a git that knows nothing of the machine's own settings.

Models of tests are so small that a second thread only waits for the first; several tests run at
once instead. torch reads the number when it is imported, so it is set before.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give git an empty configuration of its own; returns the file, to be written to."""
    config = tmp_path_factory.mktemp("git") / "gitconfig"
    config.write_text("[user]\n name = A\n email = a@example.org\n[init]\n defaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    return config


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Path]:
    """Make a git repository with one commit of the given files."""

    def make(files: Mapping[str, bytes | str], name: str = "thing") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        run_git(root, "init", "--quiet")
        commit(root, files)
        return root

    return make


def commit(root: Path, files: Mapping[str, bytes | str]) -> str:
    """Commit files on top of what is there; returns the commit."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    run_git(root, "add", "--all")
    run_git(root, "commit", "--quiet", "--message", "more")
    return run_git(root, "rev-parse", "HEAD").strip()


def run_git(root: Path, *arguments: str) -> str:
    """Run git in `root` and give what it printed."""
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout
