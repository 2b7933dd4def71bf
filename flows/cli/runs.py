"""The commands that run datasets: plan, then run what is not current, with Prefect embedded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from corpora.errors import SourceError
from flows.cli.options import (
    AllowStale,
    BudgetText,
    Dataset,
    Force,
    Overrides,
    Preset,
    dataset_names,
)
from flows.options import OWN_PRESET, Options, Run, StageName, prepare
from flows.orchestration.task_runners import RunnerName, check_runner
from flows.planning.init_from import SETTING, pinned
from flows.store.disk import check_space
from flows.store.runs import Store
from system.settings import Settings

if TYPE_CHECKING:
    from flows.planning.plan import Plan


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
    options = Options(
        preset=preset or OWN_PRESET,
        budget=budget or "",
        overrides=(*(overrides or ()), *([f"{SETTING}={init_from}"] if init_from else ())),
        start=start,
        only=only,
        force=force,
        allow_stale=allow_stale,
    )
    _run_dataset(dataset, options, Settings(), plan_only=plan_only)


def build(
    datasets: Annotated[
        list[str], typer.Argument(help="Names of datasets.", autocompletion=dataset_names)
    ],
    runner: Annotated[
        RunnerName,
        typer.Option(help="Where to run; dask and ray need `pip install 'charmill[dask]'`."),
    ] = "threads",
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Datasets, or repositories of one, to work on in parallel (0: one per CPU)."
        ),
    ] = 0,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of a running Dask or Ray cluster.")
    ] = "",
    overrides: Overrides = None,
    force: Force = False,
    allow_stale: AllowStale = False,
) -> None:
    """Build the corpora of several datasets in parallel.

    Fetches their sources first. A dataset of several repositories is divided among the workers. One
    that fails does not stop the others.

    Example: charmill build torch hadoop scalaz --workers 3
    """
    options = Options(overrides=tuple(overrides or ()), force=force, allow_stale=allow_stale)
    _build_many(datasets, options, Settings(), runner=runner, workers=workers, cluster=cluster)


def _run_dataset(dataset: str, options: Options, settings: Settings, *, plan_only: bool) -> None:
    """Plan, run what is not current, and print the result.

    Args:
        plan_only: print the plan and change nothing.
    """
    from flows.cli.render import show_plan, show_result
    from flows.console import err
    from flows.planning.plan import make_plan

    store = Store(settings.artifacts_root)
    options = pinned(options, store)
    run = prepare(dataset, options, settings.dataset_folders)
    if plan_only:
        show_plan(make_plan(run, options, store))
        return
    plan = _plan_to_run(run, options, settings, store)
    show_plan(plan)
    if plan.is_current:
        _make_latest(plan, store)
        err.print("Everything is current: nothing to run.")
    else:
        check_space(store)
        _run_flow(dataset, options, settings)
    show_result(store.runs(options.only or "evaluate", dataset).last())


def _plan_to_run(run: Run, options: Options, settings: Settings, store: Store) -> "Plan":
    """Plan, after an exchange with the remote store."""
    from flows.planning.plan import reserved_plan

    if settings.remote:
        from flows.planning.exchange import exchange

        exchange(run, options, settings)
    try:
        return reserved_plan(run, options, store)
    except SourceError:
        _renew_index(store)
        raise


def _make_latest(plan: "Plan", store: Store) -> None:
    """Point `latest` to the planned runs; renew the index if that cleared an earlier failure."""
    current = [store.runs(d.stage, plan.dataset).run(d.key) for d in plan.decisions]
    had_failed = any(run.runs.failure_record.exists() for run in current)
    for run in current:
        run.make_latest()
    if had_failed:
        _renew_index(store)


def _renew_index(store: Store) -> None:
    # Imports charts and statistics: most of a second, only for the runs that need it.
    from flows.reporting.index import write_index

    write_index(store)


def _run_flow(dataset: str, options: Options, settings: Settings) -> None:
    """Run the pipeline in this process, with an embedded Prefect."""
    with _prefect(settings):
        from flows.orchestration.flows import run_in_process

        run_in_process(dataset, options)


def _build_many(
    datasets: Sequence[str],
    options: Options,
    settings: Settings,
    *,
    runner: RunnerName,
    workers: int,
    cluster: str,
) -> None:
    """Fetch the datasets and build their corpora, several in parallel.

    Raises:
        CharmillError: before anything starts, for an unknown dataset, option or runner; at the end,
            if some corpora could not be built.
    """
    from flows.cli.render import show_result

    check_runner(runner, cluster)
    for dataset in datasets:
        prepare(dataset, options, settings.dataset_folders)
    store = Store(settings.artifacts_root)
    check_space(store)
    with _prefect(settings):
        from flows.orchestration.corpora_flow import corpora

        corpora(
            list(datasets),
            runner=runner,
            workers=workers,
            cluster=cluster,
            **options.model_dump(include={"overrides", "force", "allow_stale"}),
        )
    for dataset in dict.fromkeys(datasets):
        show_result(store.runs("corpus", dataset).last())


@contextmanager
def _prefect(settings: Settings) -> Iterator[None]:
    """Run the flows of the block in this process, and show their progress on the terminal."""
    from flows.cli.bars import TerminalReporter, showing_warnings
    from flows.console import err
    from flows.progress import reporting
    from flows.server.prefect_settings import LOGGERS, embed
    from flows.server.process import explaining_database, start_embedded_server

    err.print("[dim]starting Prefect ...[/]")
    home = Store(settings.artifacts_root).prefect_home
    wait = start_embedded_server(home, embed(settings))
    # Some seconds of imports, while the server starts.
    from flows.orchestration.flows import without_heartbeat

    wait()
    reporter = TerminalReporter()
    try:
        with (
            explaining_database(home),
            reporting(reporter),
            showing_warnings(reporter, LOGGERS),
            without_heartbeat(),
        ):
            yield
    finally:
        reporter.close()
