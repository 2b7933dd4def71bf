"""The structure of the code: directions of imports, and the tree that the README shows."""

import ast
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
        ("corpora/sources/git/fetch.py", "import corpora.sources.github.api", "No import cycles"),
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


def folder_of(module: str) -> str:
    """The folder of a module, two names at most: "flows.cli", or "flows" for its own files."""
    package, _, name = module.partition(".")
    name = name.partition(".")[0]
    return f"{package}.{name}" if name and (ROOT / package / name).is_dir() else package


def imports_of_folders() -> dict[str, set[str]]:
    """What each folder imports: folders of its own package, and other packages as a whole."""
    found: dict[str, set[str]] = {}
    for path in (p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        importer = folder_of(".".join(path.relative_to(ROOT).parts[:-1]))
        package = importer.partition(".")[0]
        row = found.setdefault(importer, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", [])]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            elif not isinstance(node, ast.Import):
                continue
            for name in names:
                root = name.partition(".")[0]
                if root in PACKAGES:
                    row.add(folder_of(name) if root == package else root)
        row.discard(importer)
    return found


def test_the_architecture_page_says_what_every_folder_imports():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z.]+)` \| [^|]+ \| ([^|]*) \|$", page, re.MULTILINE)
    shown = {folder: set(re.findall(r"`([a-z.]+)`", imports)) for folder, imports in rows}
    assert shown == imports_of_folders()


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
