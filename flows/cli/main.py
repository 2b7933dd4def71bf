"""The command line. Results go to stdout, progress and errors to stderr.

Exit status: 0 for success; 2 for what the user can fix (a CharmillError, wrong usage, a disk that
refuses), printed as one line; 130 after Ctrl-C; 1 for anything else, with its traceback.
"""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from typer.exceptions import TyperException

from flows.cli import corpora, models, reports, runs, stages
from flows.cli.table import table
from flows.store.disk import explained
from flows.store.runs import Store
from system.display import shown
from system.errors import CharmillError
from system.output import clean_output
from system.settings import Settings, documentation

COMMANDS = (
    *(runs.run, models.plan, stages.status, stages.verify, models.sample),
    *(reports.report, reports.compare, table),
    *(corpora.datasets, corpora.add, runs.build, corpora.corpus, corpora.explain, corpora.diff),
    *(corpora.forget, corpora.quota),
    *(stages.gc, stages.pin),
    *(reports.score, stages.serve, stages.login, reports.selftest),
)
"""In the order of `charmill --help`: run a dataset, read reports, manage corpora, the rest."""
EXAMPLES = {
    "charmill run python-stdlib": "run all stages, up to the report",
    "charmill run numpy --preset base --budget 10m": "train for longer",
    "charmill run torch --only corpus --set corpus.max_bytes=50000": "build a small corpus",
    "charmill plan numpy --preset base --budget 2h": "estimate the cost on this machine",
    'charmill sample python-stdlib --prompt "def " --stream': "generate code",
    "charmill add https://github.com/me/thing --ext .py": "add a dataset",
    "charmill corpus torch --what-if text.max_line=200": "show what a filter would drop",
    "charmill explain torch init.lua": "show why a file was kept or dropped",
    "charmill score program.lua --language lua --json": "check the syntax of a file",
}


def _epilog() -> Iterator[str]:
    yield "Environment variables:"
    yield from (f"  {name}   {text}" for name, text in documentation().items())
    yield "Examples:"
    yield from (f"  {command}   {text}" for command, text in EXAMPLES.items())


app = typer.Typer(
    name="charmill",
    epilog="\n\n".join(_epilog()),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"charmill {version('charmill')}\n")
        raise typer.Exit


@app.callback()
def charmill(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train a character-level LSTM on any body of text, and report honestly what it learned."""


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line; an error that the user can fix is one line and exit status 2."""
    clean_output()
    try:
        status = app(prog_name="charmill", standalone_mode=False)
    except TyperException as error:
        sys.exit(_complain(error.format_message()))
    except CharmillError as error:
        sys.exit(_complain(str(error)))
    except OSError as error:
        if (refused := explained(error, Store(Settings().artifacts_root))) is None:
            raise
        sys.exit(_complain(str(refused)))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("charmill: stopped; finished work is kept, run again to resume\n")
        sys.exit(130)
    sys.exit(status or 0)


def _complain(message: str) -> int:
    sys.stderr.write(f"charmill: {shown(message)}\n")
    return 2
