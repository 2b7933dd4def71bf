"""Run datasets from the command line: plan, then run what is not current, Prefect embedded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from corpora.errors import SourceError
from flows.cli.render import TerminalReporter, show_plan, show_result, showing_warnings
from flows.console import err
from flows.options import Options, Run, prepare
from flows.orchestration.task_runners import RunnerName, check_runner
from flows.planning.init_from import pinned
from flows.planning.plan import Plan, make_plan
from flows.progress import reporting
from flows.store.failures import failures, noting
from flows.store.paths import Layout
from flows.store.stage import check_space
from system.settings import Settings


def run_what_is_not_current(dataset: str, options: Options, settings: Settings) -> None:
    """Plan, run what the plan says, and end with the result."""
    layout = Layout(settings.artifacts_root)
    options = pinned(options, layout)
    run = prepare(dataset, options, settings.dataset_folders)
    plan = _plan_to_run(run, options, settings, layout)
    show_plan(plan)
    if plan.is_current:
        _make_latest(plan, layout)
        err.print("Everything is current: nothing to run.")
    else:
        check_space(layout)
        _run_flow(dataset, options, settings)
    show_result(layout, dataset, options.only or "evaluate")


def _plan_to_run(run: Run, options: Options, settings: Settings, layout: Layout) -> Plan:
    """Plan, with what other machines have made; a source that does not answer is noted."""
    if settings.remote:
        from flows.planning.exchange import exchange

        exchange(run, options, settings)
    try:
        with noting(layout, "fetch", run.dataset, SourceError):
            return make_plan(run, options, layout)
    except SourceError:
        _renew_index(layout)
        raise


def _make_latest(plan: Plan, layout: Layout) -> None:
    """Point at what is current; an earlier failure is no longer true then."""
    failed = failures(layout, plan.dataset)
    for decision in plan.decisions:
        layout.point_latest(decision.stage, plan.dataset, decision.key)
    if failed:
        _renew_index(layout)


def _renew_index(layout: Layout) -> None:
    # Charts and statistics come with it: most of a second, for the runs that need it.
    from flows.reporting.index import write_index

    write_index(layout)


def _run_flow(dataset: str, options: Options, settings: Settings) -> None:
    """Run the pipeline in this process, with an embedded Prefect."""
    with _prefect(settings):
        from flows.orchestration.in_process import pipeline

        pipeline(dataset, options)


def build_many(
    datasets: Sequence[str],
    options: Options,
    settings: Settings,
    *,
    runner: RunnerName,
    workers: int,
    cluster: str,
) -> None:
    """Fetch the datasets and build their corpora, several at once.

    Raises:
        ValueError: before anything starts, for a dataset, an option or a runner that is not there;
            in the end, if some could not be built.
    """
    check_runner(runner, cluster)
    for dataset in datasets:
        prepare(dataset, options, settings.dataset_folders)
    check_space(Layout(settings.artifacts_root))
    with _prefect(settings):
        from flows.orchestration.corpora_flow import corpora

        corpora(
            list(datasets),
            runner=runner,
            workers=workers,
            cluster=cluster,
            overrides=options.overrides,
            force=options.force,
            allow_stale=options.allow_stale,
        )
    for dataset in dict.fromkeys(datasets):
        show_result(Layout(settings.artifacts_root), dataset, "corpus")


@contextmanager
def _prefect(settings: Settings) -> Iterator[None]:
    """Run the flows of the block in this process, and show on the terminal what they do."""
    from flows.server.prefect_settings import LOGGERS, embed
    from flows.server.process import start_embedded_server

    err.print("[dim]starting Prefect ...[/]")
    home = Layout(settings.artifacts_root).prefect_home
    wait = start_embedded_server(home, embed(settings))
    # Some seconds of imports, while the server starts.
    from flows.orchestration.in_process import without_heartbeat

    wait()
    reporter = TerminalReporter()
    try:
        with reporting(reporter), showing_warnings(reporter, LOGGERS), without_heartbeat():
            yield
    finally:
        reporter.close()
