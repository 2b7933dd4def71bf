"""A bug of ours looks like a bug: a traceback and exit status 1. Only CharmillError is a line."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from flows.cli import main as cli
from flows.options import STAGE_NAMES, Options
from flows.orchestration import tasks
from flows.store.status import load_failure
from system.errors import CharmillError
from system.settings import Settings
from tests.flows.finished import finish
from tests.processes import DEADLINE_SECONDS

BUGS = [ValueError, IndexError, KeyError, TypeError, AttributeError, RuntimeError, AssertionError]
COMMANDS = {
    "run": ["tiny"],
    "plan": ["tiny"],
    "status": [],
    "sample": ["tiny"],
    "report": ["tiny"],
    "compare": ["tiny"],
    "table": [],
    "datasets": [],
    "corpus": ["tiny"],
    "add": ["https://example.org/x", "--ext", ".py"],
    "build": ["tiny"],
    "explain": ["tiny", "x.py"],
    "diff": ["tiny"],
    "forget": ["tiny", "--expired"],
    "quota": [],
    "verify": [],
    "gc": [],
    "pin": ["tiny"],
    "login": [],
    "score": ["/x", "--language", "c"],
    "serve": [],
    "selftest": ["--fast"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bug_in_a_command_is_no_users_mistake(command, monkeypatch, capsys):
    def broken(*_args, **_options):
        raise IndexError("a bug")

    monkeypatch.setattr(Settings, "__init__", broken)
    monkeypatch.setattr("evaluation.score_files.find_files", broken)
    monkeypatch.setattr("evaluation.selftest.checks.checks", broken)
    monkeypatch.setattr(sys, "argv", ["charmill", command, *COMMANDS[command]])
    with pytest.raises(IndexError, match="a bug"):
        cli.main()
    assert "charmill:" not in capsys.readouterr().err


def test_every_command_is_tried():
    assert set(COMMANDS) == {command.__name__ for command in cli.COMMANDS}


@pytest.mark.parametrize("name", STAGE_NAMES)
@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_a_stage_is_no_users_mistake(name, bug, tiny, monkeypatch):
    def broken(_context):
        raise bug("a bug")
        yield

    for variable, value in tiny.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setitem(tasks.BY_NAME, name, replace(tasks.BY_NAME[name], work=broken))
    # What a stage reads is empty: it breaks before reading it.
    inputs = dict.fromkeys(tasks.BY_NAME[name].inputs, "0" * 16)
    for other, key in inputs.items():
        finish(tiny.store.runs(other, "tiny").run(key), files={})
    with pytest.raises(bug, match="a bug") as raised:
        tasks.make_stage(name, "tiny", Options(), inputs)
    assert not isinstance(raised.value, CharmillError)
    failure = load_failure(tiny.store.runs(name, "tiny"))
    assert failure is not None
    assert failure.reason.startswith(f"{bug.__name__}: ")


@pytest.mark.slow  # ten seconds
def test_a_bug_in_a_whole_run_keeps_its_traceback_and_exits_with_1(tiny):
    script = (
        "import dataclasses, sys\n"
        "import flows.stages.table as table\n"
        "def broken(_context):\n"
        "    raise ValueError('operands could not be broadcast')\n"
        "    yield\n"
        "table.STAGES = tuple(\n"
        "    dataclasses.replace(one, work=broken) if one.name == 'corpus' else one\n"
        "    for one in table.STAGES)\n"
        "sys.argv = ['charmill', 'run', 'tiny']\n"
        "from flows.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | tiny.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.strip().endswith("ValueError: operands could not be broadcast")
