"""The commands that run the stages of a dataset, and show which are done."""

import json
from typing import Annotated

import typer

from corpora.errors import SpecError
from flows.cli.options import (
    AllowStale,
    AsJson,
    BudgetText,
    Dataset,
    Force,
    Overrides,
    Preset,
)
from flows.options import OWN_PRESET, Options, StageName
from flows.planning.init_from import SETTING
from system.settings import Settings


def run(
    dataset: Dataset,
    preset: Preset = None,
    budget: BudgetText = None,
    start: Annotated[StageName | None, typer.Option("--from", help=Options.help("start"))] = None,
    only: Annotated[StageName | None, typer.Option(help=Options.help("only"))] = None,
    force: Force = False,
    overrides: Overrides = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET[@KEY]", help="Fine-tune the newest model of this dataset, or KEY."
        ),
    ] = None,
    allow_stale: AllowStale = False,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Print what would run, and why, without running it.")
    ] = False,
) -> None:
    """Run all stages of a dataset that are out of date.

    The stages are fetch, corpus, train, sample and evaluate. Prints first what will be reused and
    what will run, and why. A run that was killed resumes from its last checkpoint.

    Example: charmill run numpy --preset base --budget 10m
    """
    from flows.cli.runs import run_dataset

    options = Options(
        preset=preset or OWN_PRESET,
        budget=budget or "",
        overrides=(*(overrides or ()), *([f"{SETTING}={init_from}"] if init_from else ())),
        start=start,
        only=only,
        force=force,
        allow_stale=allow_stale,
    )
    run_dataset(dataset, options, Settings(), plan_only=plan_only)


def status(
    dataset: Annotated[
        str | None, typer.Argument(help="Name of a dataset; all datasets if omitted.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which stages are finished or have failed.

    Shows when each stage ran, why it failed, and what was interrupted.

    Example: charmill status numpy
    """
    from corpora.spec import dataset_files
    from flows.cli.render import status_table
    from flows.console import out
    from flows.store.runs import Store
    from flows.store.status import dataset_state

    settings = Settings()
    known = dataset_files(settings.dataset_folders)
    if dataset is not None and dataset not in known:
        raise SpecError(f"no dataset {dataset!r}; known: {', '.join(known)}")
    store = Store(settings.artifacts_root)
    names = [dataset] if dataset else list(known)
    states = {name: dataset_state(store, name) for name in names}
    if as_json:
        data = {name: [state.to_dict() for state in rows] for name, rows in states.items()}
        out.print_json(json.dumps(data))
    else:
        out.print(status_table(states))


def serve(
    port: Annotated[int, typer.Option(help="Port of the Prefect UI.")] = 4200,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Other machines can reach any but loopback, unencrypted."
        ),
    ] = "127.0.0.1",
    server_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Use this Prefect server instead of starting one; who may use it is for it to "
            "check.",
        ),
    ] = None,
) -> None:
    """Serve Prefect's UI, with a deployment per dataset.

    Prints the link that logs your browser in; `charmill login` prints it again. Schedules and
    parameters set in the UI survive a restart. Ctrl-C stops the server and its runs.

    Example: charmill serve --port 4300
    """
    from flows.orchestration.serve import serve_all

    serve_all(Settings(), port, host=host, server_url=server_url)


def login(
    port: Annotated[int, typer.Option(help="Port of the Prefect UI.")] = 4200,
    renew: Annotated[
        bool, typer.Option("--renew", help="Replace the login; restart `charmill serve` then.")
    ] = False,
) -> None:
    """Print the link that logs in to `charmill serve`.

    Standard output has the link, and the password is what follows its `#`. Keep both to yourself:
    who has them can run code as you.

    Example: charmill login --port 4300
    """
    from flows.console import err, out
    from flows.server.login import CLIENT_VARIABLE, FILE, login_url, renew_login, stored_login
    from flows.server.prefect_settings import own_home
    from flows.server.process import LOOPBACK, own_api

    home = own_home(Settings())
    if renew:
        renew_login(home)
    ui = own_api(LOOPBACK, port).removesuffix("/api")
    out.print(login_url(ui, stored_login(home)), markup=False, highlight=False, soft_wrap=True)
    err.print(
        f"Programs: export {CLIENT_VARIABLE}=$(cat {home / FILE})",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
