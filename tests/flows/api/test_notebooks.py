"""The example notebooks use public names only, hold no outputs, and run."""

import ast
import json
import sys
from pathlib import Path

import pytest

import flows.api

ROOT = Path(__file__).parents[3]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
MOST_BYTES = 20_000
SECONDS = 1_200
"""For one cell on a very busy machine; a run of all stages takes 20 s of processor time."""


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> Path:
    return request.param


def code_cells(notebook: Path) -> list[dict]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def trees(notebook: Path) -> list[ast.Module]:
    return [ast.parse("".join(cell["source"])) for cell in code_cells(notebook)]


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["compare", "explore"]


def test_every_cell_compiles_and_imports_public_names_only(notebook):
    names = set().union(*map(imported, trees(notebook)))
    others = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == {"flows.api"}
    used = {
        node.attr
        for tree in trees(notebook)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "charmill"
    }
    assert used
    assert used <= set(flows.api.__all__)


def test_no_outputs_are_stored(notebook):
    assert notebook.stat().st_size < MOST_BYTES
    for cell in code_cells(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.slow  # runs all stages in a process of its own, once or twice
def test_it_runs_from_an_empty_folder_and_leaves_it_empty(notebook, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CHARMILL_ARTIFACTS", "CHARMILL_DATASETS", "CHARMILL_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        kernel_name="python3",
        timeout=SECONDS,
        startup_timeout=SECONDS,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    done = client.execute()
    outputs = [one for cell in done.cells for one in cell.get("outputs", ())]
    kinds = {kind for one in outputs for kind in one.get("data", ())}
    assert {"text/html", "image/png"} <= kinds
    assert not any(one.get("name") == "stderr" for one in outputs)
    assert list(tmp_path.iterdir()) == []
