import re
import shlex
from pathlib import Path

import pytest
import typer

from corpora.spec import dataset_files
from docs.site.commands import page
from flows.cli.main import COMMANDS, EXAMPLES, app

PAGE = Path(__file__).parents[2] / "docs/commands.md"


def examples() -> list[str]:
    written = [line for one in COMMANDS for line in (one.__doc__ or "").splitlines()]
    found = [line.strip() for line in written if line.strip().startswith("Example: ")]
    return [*EXAMPLES, *(line.removeprefix("Example: ") for line in found)]


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "stale: python -m docs.site.commands > docs/commands.md"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_command_has_a_summary_for_the_list_and_an_example_of_its_own(command):
    text = command.__doc__ or ""
    assert len(text.splitlines()[0]) <= 60
    assert f"Example: charmill {command.__name__}" in text


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_command_with_options_and_datasets_that_exist(example):
    program, name, *arguments = shlex.split(example)
    assert program == "charmill"
    group = typer.main.get_command(app)
    command = group.commands[name]
    context = command.make_context(name, list(arguments))
    named = [context.params.get("dataset"), *(context.params.get("datasets") or ())]
    assert {one for one in named if one} <= dataset_files(()).keys()


def test_run_comes_first():
    assert COMMANDS[0].__name__ == "run"
    assert re.findall(r"^## charmill (\w+)$", page(), re.MULTILINE) == [
        command.__name__ for command in COMMANDS
    ]
