"""The house stays as it was laid: directions of imports, and the tree that the README shows."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "corpora", "modeling", "evaluation", "system")
MOST_ROOMS = 12


def lint_imports(folder: Path) -> subprocess.CompletedProcess:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_directions_of_imports_are_kept(house):
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("corpora/dedup/split.py", "import modeling.vocab", "flows -> evaluation"),
        ("modeling/vocab.py", "import evaluation.results", "flows -> evaluation"),
        ("evaluation/metrics/groups.py", "import flows.options", "flows -> evaluation"),
        ("modeling/checkpoint.py", "import prefect", "Only flows knows Prefect"),
        ("evaluation/report/render.py", "import torch", "Corpora, scorers and report"),
        ("modeling/presets.py", "import torch", "Configurations and vocabulary"),
        ("system/files.py", "import corpora.spec", "flows -> evaluation"),
        ("flows/store/runs.py", "import flows.planning.plan", "Layers of flows"),
        ("flows/progress.py", "import flows.options", "Layers of flows"),
        ("corpora/text/decoding.py", "import corpora.spec", "Layers of corpora"),
        ("modeling/engines/learner.py", "import modeling.training.trainer", "Layers of modeling"),
        ("evaluation/languages/c.py", "import evaluation.report.view", "Layers of evaluation"),
        ("corpora/sources/git/fetch.py", "import corpora.sources.github.api", "No import circles"),
    ],
)
def test_every_contract_breaks_when_it_is_violated(house, module, line, contract):
    with (house / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(house)
    assert done.returncode != 0
    assert re.search(rf"{re.escape(contract)}.* BROKEN", done.stdout), done.stdout


def test_no_folder_is_a_corridor():
    rooms = Counter(path.parent for name in PACKAGES for path in (ROOT / name).rglob("[!_]*.py"))
    assert max(rooms.values()) <= MOST_ROOMS, rooms.most_common(3)


def test_the_tree_in_the_readme_is_the_tree_on_disk():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", text, re.DOTALL)
    assert block is not None
    shown = {line.split()[0].rstrip("/") for line in block[1].splitlines() if line.strip()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {path.split("/")[0] for path in tracked.stdout.splitlines()}
    assert shown == listed
