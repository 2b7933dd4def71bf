"""Run a dataset from the command line: plan, then run what is not current, Prefect embedded."""

from corpora.errors import SourceError
from flows.failure import failures, noting
from flows.initial import pinned
from flows.layout import Layout
from flows.plan import Plan, make_plan
from flows.progress import reporting
from flows.run import Options, Run, prepare
from flows.settings import Settings
from flows.stage import check_space
from flows.terminal import TerminalReporter, err, show_plan, show_result


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
        from flows.sharing import exchange

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
    from flows.index import write_index

    write_index(layout)


def _run_flow(dataset: str, options: Options, settings: Settings) -> None:
    """Run the pipeline in this process, with an embedded Prefect."""
    from flows.prefect_home import embed

    err.print("[dim]starting Prefect ...[/]")
    embed(settings)
    from flows.pipeline import pipeline

    reporter = TerminalReporter()
    try:
        with reporting(reporter):
            pipeline(dataset, options)
    finally:
        reporter.close()
