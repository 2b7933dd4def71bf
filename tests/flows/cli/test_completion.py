"""What Tab offers: as the scripts of `--show-completion` ask for it, and in the shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpora.spec import dataset_files
from flows.cli.options import dataset_names
from modeling.presets import PRESETS

ROOT = Path(__file__).parents[3]


def completions(words: str, **variables: str) -> list[str]:
    """What bash would be given for the last of these words."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli"],
        env=os.environ | asked | {"_CHARMILL_COMPLETE": "complete_bash"} | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("charmill run linux-", ["linux-50mb", "linux-kernel-dir"]),
        ("charmill run torch --preset ", list(PRESETS)),
    ],
)
def test_tab_completes_datasets_and_presets(words, expected):
    assert completions(words) == expected


def test_ones_own_datasets_are_offered_and_a_faulty_folder_offers_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARMILL_DATASETS", str(tmp_path))
    (tmp_path / "mine.toml").write_text("not read here")
    assert dataset_names() == [*dataset_files(()), "mine"]
    (tmp_path / "$(touch x).toml").write_text("")
    assert dataset_names() == []
    monkeypatch.setenv("CHARMILL_DEVICE", "tpu")
    assert dataset_names() == []


BASH = """
. {script}
COMP_WORDS=(charmill run aus) COMP_CWORD=2
_charmill_completion charmill
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit && compinit -u -d {folder}/dump
. {script}
words=(charmill run aus) CURRENT=3
_arguments() {{ printf '%s\\n' "$@" }}
_charmill_completion
"""


@pytest.mark.slow  # starts several programs
@pytest.mark.parametrize(("shell", "dialogue"), [("bash", BASH), ("zsh", ZSH)])
def test_the_script_for_a_shell_works_in_that_shell(shell, dialogue, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    program = tmp_path / "charmill"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m flows.cli "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    # The shell is recognised by the process that calls it.
    script = tmp_path / "script"
    run_in(shell, f"charmill --show-completion > {script}; :", tmp_path, environment)
    assert "_charmill_completion" in script.read_text()
    done = run_in(shell, dialogue.format(script=script, folder=tmp_path), tmp_path, environment)
    assert "austen" in done
    assert "hadoop" not in done


def run_in(shell: str, text: str, folder: Path, environment: dict[str, str]) -> str:
    file = folder / "dialogue"
    file.write_text(text)
    done = subprocess.run(
        [shell, file], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout
