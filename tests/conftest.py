"""Settings of all tests: one thread, and nothing of the user's own configuration.

Models of tests are so small that a second thread only waits for the first; several tests run at
once instead. torch reads the number when it is imported, so it is set before that.
"""

import atexit
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hypothesis mistakes a busy machine for a slow test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# A script's background job ignores SIGINT, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

OF_THE_USER = re.compile(
    r"CHARMILL_(?!NATIVE$)|GIT_|GITHUB_|PREFECT_|XDG_(CONFIG|STATE)_HOME$"
    r"|(ALL|HTTPS?|NO)_PROXY$|(FORCE|NO)_COLOR$|COLUMNS$",
    re.IGNORECASE,
)
"""Variables that lead a test astray, to a remote store at worst. CHARMILL_NATIVE is a way to run
all of them; the compiled kernel stays in the user's cache, where that can be written."""
_HOME = tempfile.TemporaryDirectory(prefix="charmill-home-")
atexit.register(_HOME.cleanup)


def _leave_the_user_out() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        cache = Path(_HOME.name)
    writable = os.access(cache, os.W_OK)
    for name in filter(OF_THE_USER.match, list(os.environ)):
        del os.environ[name]
    os.environ |= {"HOME": _HOME.name, "XDG_CACHE_HOME": str(cache) if writable else _HOME.name}


_leave_the_user_out()


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give git an empty configuration; returns its file, which a test may write to."""
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
    """Commit files on top of the current commit; returns the new one."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    run_git(root, "add", "--all")
    run_git(root, "commit", "--quiet", "--message", "more")
    return run_git(root, "rev-parse", "HEAD").strip()


def run_git(root: Path, *arguments: str) -> str:
    """Run git in `root`; returns its output."""
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout
