"""Helpers for the tests of the git source."""

import subprocess
import sys
from pathlib import Path

from corpora.sources.git.source import GitSource
from tests.conftest import run_git


def source_of(*urls, max_blob_bytes=None, **keys):
    """A source of these repositories, `keys` in each of them."""
    repositories = [{"url": str(url), **keys} for url in urls]
    limit = {} if max_blob_bytes is None else {"max_blob_bytes": max_blob_bytes}
    return GitSource.model_validate({"kind": "git", "repositories": repositories, **limit})


def fetched(source, directory):
    """Fetch into a new folder; returns snapshot, entries and progress."""
    directory.mkdir()
    steps = list(source.fetch(source.resolve(), directory))
    snapshot = source.open(directory)
    return snapshot, list(snapshot.entries()), steps


def add_tree(root: Path, listing: bytes, *, raw: bool = False) -> str:
    """Store a tree, given as `ls-tree -z` shows it or as git stores it; returns its id."""
    command = (
        ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"] if raw else ["mktree", "-z"]
    )
    done = subprocess.run(
        ["git", *command], cwd=root, input=listing, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def commit_tree(root: Path, tree: str) -> str:
    """Point the branch main to a commit of this tree."""
    made = run_git(root, "commit-tree", "-m", "a tree", tree).strip()
    run_git(root, "update-ref", "refs/heads/main", made)
    return made


def wrap_git(folder: Path, before: str) -> Path:
    """Create a `git` in a folder that runs a shell line, then the real git."""
    folder.mkdir()
    real = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    wrapper = folder / "git"
    wrapper.write_text(f'#!/bin/sh\n{before}\nexec {real.stdout.strip()}/git "$@"\n')
    wrapper.chmod(0o755)
    return folder


def start(script: str) -> subprocess.Popen[str]:
    """Run Python code in a separate process."""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
