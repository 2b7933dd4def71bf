"""What exactly was measured: versions of the programs."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.rivals import adaptive, cleaning, idle, nano_gpt, trained
from benchmarks.rivals.cells import Key
from benchmarks.rivals.texts import mirror

HERE = Path(__file__).parents[2]


def made(key: Key, mirrors: Path, datatrove: Path | None) -> list[str]:
    """Versions of what a cell measures, each a name and a number.

    Raises:
        TrialError: if nanoGPT is measured and has no mirror.
    """
    parts = [_rival(key, mirrors, datatrove)] if key.rival != trained.OURS else []
    parts += [f"charmill {_commit('-C', str(HERE))}"]
    parts += [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    return [part for part in parts if part]


def _rival(key: Key, mirrors: Path, datatrove: Path | None) -> str:
    if key.rival in trained.SHAPES:
        place = mirror(mirrors, nano_gpt.REPOSITORY)
        return f"nanoGPT {_commit(f'--git-dir={place}')}"
    if key.rival == adaptive.ZPAQ:
        return " ".join(_words("zpaq").split()[:2])  # "zpaq v7.15 journaling archiver ..."
    if key.rival == adaptive.PPMD:
        return f"pyppmd {version('pyppmd')}"
    if key.part == idle.PART and idle.DVC in key.rival:
        return f"dvc {_words('dvc', '--version')}"
    if key.part == cleaning.PART and datatrove:
        asked = "from importlib.metadata import version; print(version('datatrove'))"
        return f"datatrove {_words(str(datatrove), '-c', asked)}"
    return ""


def _commit(*where: str) -> str:
    return _words("git", *where, "rev-parse", "--short=9", "HEAD")


def _words(*command: str) -> str:
    """What a program says; some end with an error when they are only asked for their name."""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
