"""The command line. Results go to stdout, progress and errors to stderr.

Exit status: 0 done, 1 something broke, 2 the user's mistake, said in one line.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from corpora.errors import CorpusError, SourceError, SpecError
from evaluation.errors import ScoreError
from evaluation.languages import known_languages
from flows.cli import corpora as cli_corpora
from flows.cli import models as cli_models
from flows.cli import reports as cli_reports
from flows.cli.options import AllowStale, AsJson, BudgetText, Dataset, Force, Overrides, Preset
from flows.errors import OptionError, StageError
from flows.options import Options, StageName, prepare
from flows.planning.init_from import SETTING, pinned
from flows.settings import Settings

USER_MISTAKES = (SpecError, SourceError, OptionError, StageError, CorpusError, ScoreError)
EPILOG = """
Settings by environment:

  CHARMILL_ARTIFACTS   root of everything that is written (default: artifacts/)

  CHARMILL_DATASETS    folder of your own dataset TOMLs (default: ~/.config/charmill/datasets)

  CHARMILL_DEVICE      auto, cpu, cuda, cuda:N or mps (default: auto)

  CHARMILL_PROCESSES   processes that train together, one for each GPU (default: 1)

  CHARMILL_REMOTE      where finished stages are shared, as s3://bucket/prefix (default: nowhere)

  CHARMILL_SERVER_HOSTS   names by which others reach `charmill serve`, as a.example.org,b

  CHARMILL_TENSORBOARD folder for TensorBoard event files (default: none are written)

  CHARMILL_YOUTUBE_KEY, or CHARMILL_YOUTUBE_KEY_FILE (mode 0600)   for YouTube

  CHARMILL_STATE       where a key's spent quota is counted (default: ~/.local/state/charmill)

  CHARMILL_GITHUB_TOKEN, or GITHUB_TOKEN   for GitHub accounts

Examples:

  charmill run python-stdlib                    everything, ends with a report

  charmill run numpy --preset base --budget 10m  a longer training

  charmill run torch --only corpus --set corpus.max_bytes=50000

  charmill plan numpy --preset base --budget 2h  what it would take on this machine

  charmill sample python-stdlib --prompt "def " --stream

  charmill add https://github.com/me/thing --ext .py

  charmill explain torch init.lua

  charmill score program.lua --language lua --json
"""

app = typer.Typer(
    name="charmill",
    help="Train a character-level LSTM on any body of text, and report honestly what it learned.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    cli_corpora.datasets,
    cli_corpora.add,
    cli_corpora.build,
    cli_corpora.explain,
    cli_corpora.diff,
    cli_corpora.forget,
    cli_corpora.quota,
    cli_models.plan,
    cli_models.sample,
    cli_reports.report,
    cli_reports.compare,
    cli_reports.selftest,
):
    app.command()(command)


@app.command()
def run(
    dataset: Dataset,
    preset: Preset = None,
    budget: BudgetText = None,
    start: Annotated[
        StageName | None,
        typer.Option("--from", help="Start here; take what is before it as it stands."),
    ] = None,
    only: Annotated[
        StageName | None, typer.Option(help="Run this stage alone, on what is before it.")
    ] = None,
    force: Force = False,
    overrides: Overrides = None,
    init_from: Annotated[
        str | None,
        typer.Option(metavar="DATASET[@KEY]", help="Fine-tune: begin with its newest model."),
    ] = None,
    allow_stale: AllowStale = False,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and why; do nothing.")
    ] = False,
) -> None:
    """Fetch, build the corpus, train, sample, evaluate: whatever of it is not current.

    Says first what will be reused and what will run, and why. A run that was killed goes on where
    it was. Example: charmill run numpy --preset base --budget 10m
    """
    from flows.cli.render import show_plan
    from flows.cli.runs import run_what_is_not_current
    from flows.planning.plan import make_plan
    from flows.store.paths import Layout

    options = Options(
        preset=preset,
        budget=budget,
        overrides=(*(overrides or ()), *([f"{SETTING}={init_from}"] if init_from else ())),
        start=start,
        only=only,
        force=force,
        allow_stale=allow_stale,
    )
    settings = Settings()
    if plan_only:
        layout = Layout(settings.artifacts_root)
        options = pinned(options, layout)
        show_plan(make_plan(prepare(dataset, options, settings.dataset_folders), options, layout))
    else:
        run_what_is_not_current(dataset, options, settings)


@app.command()
def status(
    dataset: Annotated[str | None, typer.Argument(help="Leave out for all datasets.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show which stages are done, when, and what was left unfinished."""
    from corpora.spec import dataset_files
    from flows.cli.render import status_table
    from flows.console import out
    from flows.store.paths import Layout
    from flows.store.status import dataset_state

    settings = Settings()
    known = dataset_files(settings.dataset_folders)
    if dataset is not None and dataset not in known:
        raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")
    layout = Layout(settings.artifacts_root)
    names = [dataset] if dataset else list(known)
    states = {name: dataset_state(layout, name) for name in names}
    if as_json:
        data = {name: [state.to_dict() for state in rows] for name, rows in states.items()}
        out.print_json(json.dumps(data))
    else:
        out.print(status_table(states))


@app.command()
def score(
    path: Annotated[Path, typer.Argument(help="Any text file, or a folder of them.")],
    language: Annotated[str, typer.Option(help=f"One of {known_languages()}.")],
    as_json: AsJson = False,
    per_file: Annotated[bool, typer.Option("--per-file", help="With --json: each file.")] = False,
) -> None:
    """Score real text: does it parse, do its brackets and blocks balance?

    Example: charmill score program.lua --language lua --json
    """
    from evaluation.score_files import find_files, score_files, sum_up
    from flows.cli.render import score_table, tracked
    from flows.console import out

    paths = find_files(path, language)
    result = sum_up(list(tracked(score_files(paths, language), len(paths))), language)
    if as_json:
        sys.stdout.write(json.dumps(result.to_dict(per_file=per_file), indent=1) + "\n")
    else:
        out.print(score_table(result.metrics))


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Where the Prefect UI will be.")] = 4200,
    host: Annotated[
        str, typer.Option(help="Another address needs PREFECT_SERVER_API_AUTH_STRING.")
    ] = "127.0.0.1",
    server_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this Prefect server, start none.")
    ] = None,
) -> None:
    """Start Prefect's server and UI on this machine, with every dataset's pipeline in it.

    Schedules, switches and parameters set in the UI survive restarts. Ctrl-C stops everything.
    """
    from flows.orchestration.serve import serve_all

    serve_all(Settings(), port, host=host, server_url=server_url)


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit status 2."""
    try:
        status_code = app(standalone_mode=False)
    except TyperException as error:
        sys.exit(_complain(error.format_message()))
    except USER_MISTAKES as error:
        sys.exit(_complain(str(error)))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("charmill: stopped; what was finished is kept, run again to go on\n")
        sys.exit(130)
    sys.exit(status_code or 0)


def _complain(message: str) -> int:
    sys.stderr.write(f"charmill: {' '.join(message.split())}\n")
    return 2
