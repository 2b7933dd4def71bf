"""The page on security names tests that exist, and no code of ours runs what it reads."""

import re
from pathlib import Path

import pytest

from tests.test_structure import PACKAGES

ROOT = Path(__file__).parents[1]
RUNS_WHAT_IT_READS = re.compile(
    r"^\s*(import|from) (pickle|cloudpickle|dill|joblib|marshal|shelve)\b"
    r"|\btorch\.load\(|\ballow_pickle=|\byaml\.(unsafe_)?load\(|(?<![\w.])(eval|exec)\(",
    re.MULTILINE,
)


def test_every_test_that_the_security_page_names_exists():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", page)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_promise_of_the_security_page_has_a_test():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promises = page.partition("## Promises and their tests")[2].partition("## Not promised")[0]
    rows = re.findall(r"^\| (?!promise \||-)(.*) \| (.*) \|$", promises, re.MULTILINE)
    assert len(rows) > 20
    assert [promise for promise, tests in rows if "`tests/" not in tests] == []


def test_no_module_unpickles_or_evaluates_what_it_reads():
    modules = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert len(modules) > 100
    found = {path for path in modules if RUNS_WHAT_IT_READS.search(path.read_text("utf-8"))}
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "    from cloudpickle import loads",
        "state = torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "value = eval(text)",
    ],
)
def test_such_a_line_would_be_found(line):
    assert RUNS_WHAT_IT_READS.search(f"def read():\n{line}\n")


@pytest.mark.parametrize("line", ["model.eval()", "yaml.safe_load(text)", "a picklable snapshot"])
def test_other_lines_are_not(line):
    assert not RUNS_WHAT_IT_READS.search(line)
