"""The commands that show which stages are done, check, keep and remove runs, and serve the UI."""

from typing import Annotated

import typer

from corpora.errors import SpecError
from flows.cli.options import (
    AnyDataset,
    AsJson,
    Dataset,
    History,
    KeepLast,
    MaxSize,
    OlderThan,
    Port,
    dataset_names,
)
from flows.errors import StageError
from flows.options import StageName
from flows.retention.limits import Limits
from system.settings import Settings

LIMITS = Limits()


def status(
    dataset: AnyDataset = None,
    as_json: AsJson = False,
) -> None:
    """Show which stages are finished or have failed.

    Shows when each stage ran, why it failed, and what was interrupted.

    Example: charmill status numpy
    """
    from corpora.spec import dataset_files
    from flows.cli.render import damage_lines, status_table
    from flows.cli.retention import removable
    from flows.console import out, print_json
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
        print_json(data)
    else:
        out.print(status_table(states))
        for line in damage_lines(states):
            out.print(line, markup=False)
        if hint := removable(store, known, names):
            out.print(hint, markup=False)


def verify(
    dataset: AnyDataset = None,
    as_json: AsJson = False,
) -> None:
    """Check the files of all finished runs for damage.

    Compares the size and digest of every file with those recorded when it was written, in all
    finished runs, not only the last ones. Says what makes a damaged run again. Exit status 2 if
    anything is damaged, or was written by a later version.

    Example: charmill verify numpy
    """
    from flows.cli.bars import reported
    from flows.cli.render import verification_lines, verification_table
    from flows.console import out, print_json
    from flows.store.runs import Store
    from flows.store.verification import verify as verify_store

    store = Store(Settings().artifacts_root)
    known = store.datasets()
    if dataset is not None and dataset not in known:
        raise StageError(f"no runs of a dataset {dataset!r}; known: {', '.join(known) or 'none'}")
    names = [dataset] if dataset else known
    found = reported("verify", dataset or "all datasets", verify_store(store, names))
    if as_json:
        print_json([one.to_dict() for one in found])
    else:
        out.print(verification_table(found))
        for line in verification_lines(found):
            out.print(line, markup=False)
    if any(one.outcome in ("damaged", "later version") for one in found):
        raise typer.Exit(2)


def gc(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of datasets; all datasets if omitted.", autocompletion=dataset_names
        ),
    ] = None,
    keep_last: KeepLast = LIMITS.keep_last,
    older_than: OlderThan = LIMITS.older_than,
    max_size: MaxSize = LIMITS.max_size,
    history: History = LIMITS.history,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old runs that nothing needs.

    A run goes if it is older than --older-than and not one of the --keep-last newest. Always kept:
    the last run of every stage, pinned runs, runs used within a day, and all that a kept or
    unfinished run was made from, in whichever dataset. Shows what would go and why the rest is
    kept, then asks; without a terminal, nothing is removed unless --yes is given. Also removes
    the folders of runs that were interrupted or damaged a week ago. Stores shared with
    CHARMILL_REMOTE are left as they are.

    Example: charmill gc numpy --keep-last 2 --older-than 1w
    """
    from flows.cli.retention import clean

    limits = Limits(keep_last=keep_last, older_than=older_than, max_size=max_size, history=history)
    wanted = list(dict.fromkeys(datasets or ()))
    clean(Settings(), limits, wanted, dry_run=dry_run, yes=yes, as_json=as_json)


def pin(
    dataset: Dataset,
    key: Annotated[
        str | None, typer.Argument(help="Key, or its beginning (default: the last run).")
    ] = None,
    stage: Annotated[StageName, typer.Option(help="Stage of the run.")] = "evaluate",
    remove: Annotated[bool, typer.Option("--remove", help="Unpin it.")] = False,
) -> None:
    """Protect a report, and all it was made from, from gc.

    Example: charmill pin numpy 4f3a
    """
    from flows.console import out
    from flows.store.protection import pin as pin_run
    from flows.store.protection import pinned_keys, unpin
    from flows.store.runs import Store

    runs = Store(Settings().artifacts_root).runs(stage, dataset)
    run = runs.find(key) if key else runs.last()
    (unpin if remove else pin_run)(run)
    out.print(f"{runs}: pinned: {', '.join(pinned_keys(runs)) or 'none'}", markup=False)


def serve(
    port: Port = 4200,
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
    port: Port = 4200,
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
