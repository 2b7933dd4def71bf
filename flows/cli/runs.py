"""Run datasets from the command line: plan, then run what is not current, with Prefect embedded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from corpora.errors import SourceError
from flows.cli.render import TerminalReporter, show_plan, show_result, showing_warnings
from flows.console import err
from flows.options import Options, Run, prepare
from flows.orchestration.task_runners import RunnerName, check_runner
from flows.planning.init_from import pinned
from flows.planning.plan import Plan, make_plan, reserved_plan
from flows.progress import reporting
from flows.store.disk import check_space
from flows.store.runs import Store
from system.settings import Settings


def run_dataset(
    dataset: str, options: Options, settings: Settings, *, plan_only: bool = False
) -> None:
    """Plan, run what is not current, and print the result.

    Args:
        plan_only: print the plan and change nothing.
    """
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


def _plan_to_run(run: Run, options: Options, settings: Settings, store: Store) -> Plan:
    """Plan, after an exchange with the remote store."""
    if settings.remote:
        from flows.planning.exchange import exchange

        exchange(run, options, settings)
    try:
        return reserved_plan(run, options, store)
    except SourceError:
        _renew_index(store)
        raise


def _make_latest(plan: Plan, store: Store) -> None:
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


def build_many(
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
