"""Following a plan inside a Prefect flow run: each stage that is not current is a task.

Whether a stage has to run is our plan's decision, from our manifests; Prefect's caching stays off.
A flow that Prefect runs again (Retry in the UI) plans again: what was finished is reused, and a
training goes on at its last checkpoint.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, TerminationSignal
from prefect.runtime import deployment
from prefect.tasks import exponential_backoff

from corpora.errors import SourceError
from flows.options import Options, StageName, prepare
from flows.orchestration.concurrency import (
    FIRST_PAUSE_SECONDS,
    JITTER,
    RETRIES,
    training_slot,
    worth_a_retry,
)
from flows.orchestration.descriptions import renew_description
from flows.orchestration.events import closing_state, tell
from flows.orchestration.reporter import RunReporter
from flows.planning.exchange import exchange, send_finished
from flows.planning.init_from import pinned
from flows.planning.plan import Plan, asked_for, make_plan
from flows.progress import current_reporter
from flows.reporting.artifacts import publish_corpus, publish_index, publish_plan, publish_report
from flows.reporting.index import index_rows, renewing_index
from flows.server.prefect_settings import LOGGERS
from flows.stages.devices import device_of
from flows.stages.signals import end_with_parent, end_within
from flows.stages.table import STAGES
from flows.store.disk import check_space
from flows.store.failures import recording_failure
from flows.store.runs import Store
from flows.store.stage import execute
from system.settings import Settings

PLAN_SECONDS = 600
"""So long a source may take to say what it holds."""
STOP_SECONDS = 6
"""A run that is cancelled has so long for its checkpoint; then it is ended by force."""
BY_NAME = {stage.name: stage for stage in STAGES}
PERSISTENT: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": RETRIES,
    "retry_delay_seconds": exponential_backoff(FIRST_PAUSE_SECONDS),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": worth_a_retry,
}


def follow(dataset: str, options: Options, *, plan_only: bool) -> Any:
    """Plan, show the plan, and do it.

    Returns:
        The key of the last stage; with a report, a Prefect state that holds the news.
    """
    store = Store(Settings().artifacts_root)
    with entered(store):
        options = _less_what_was_forced(dataset, pinned(options, store), store)
        if Settings().remote and not plan_only:
            share_task(dataset, options)
        plan = plan_task(dataset, options)
        publish_plan(plan)
        if plan_only:
            return None
        keys = carry_out(plan, options, store, stage_task)
        last = plan.decisions[-1]
        if last.stage == "evaluate" and last.action == "run":
            return _publish(store, dataset, keys["evaluate"])
        return keys[last.stage]


@contextmanager
def entered(store: Store) -> Iterator[None]:
    """What every run begins and ends with: logs, the end that it is asked for, the index."""
    show_our_logs()
    if deployment.get_id() is not None:
        end_within(STOP_SECONDS)
        end_with_parent()
    with _cancelled_as_asked(), renewing_index(store):
        yield


def show_our_logs() -> None:
    """Let Prefect see what we log: it gives our loggers its handler, not a level."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)


def carry_out(
    plan: Plan, options: Options, store: Store, make: Callable[..., str]
) -> dict[StageName, str]:
    """Do what a plan says; give the key of every stage.

    Args:
        make: `make_stage`, or the task made of it.
    """
    check_space(store)
    keys: dict[StageName, str] = {}
    for decision in plan.decisions:
        keys[decision.stage] = decision.key
        if decision.action == "reuse":
            store.runs(decision.stage, plan.dataset).run(decision.key).make_latest()
        else:
            inputs = BY_NAME[decision.stage].choose(keys)
            keys[decision.stage] = make(decision.stage, plan.dataset, options, inputs)
    return keys


def share(dataset: str, options: Options) -> None:
    """Fetch what other machines have finished, and send what they do not have."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    with recording_failure(Store(settings.artifacts_root).runs("fetch", dataset)):
        exchange(run, options, settings)


def plan_stages(dataset: str, options: Options) -> Plan:
    """Decide about every stage; the source may have to be asked what it holds."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    store = Store(settings.artifacts_root)
    with recording_failure(store.runs("fetch", dataset), SourceError):
        return make_plan(run, options, store)


def make_stage(
    name: StageName, dataset: str, options: Options, inputs: dict[StageName, str]
) -> str:
    """Run one stage on `inputs`; give its key."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    store = Store(settings.artifacts_root)
    reporter = current_reporter() or RunReporter(dataset)
    with recording_failure(store.runs(name, dataset)):
        device = str(device_of(settings.device)) if name == "train" else None
        with training_slot(device, store, reporter) if device else nullcontext():
            manifest = execute(
                BY_NAME[name],
                run,
                inputs,
                settings=settings,
                reporter=reporter,
                force=options.force,
            )
    finished = store.runs(name, dataset).run(manifest.key)
    send_finished(finished, run, settings)
    if name == "corpus":
        publish_corpus(dataset, finished.folder)
    return finished.key


share_task = task(name="share", task_run_name="share {dataset}", **PERSISTENT)(share)
plan_task = task(
    name="plan", task_run_name="plan {dataset}", timeout_seconds=PLAN_SECONDS, **PERSISTENT
)(plan_stages)
stage_task = task(name="stage", task_run_name="{name} {dataset}", **PERSISTENT)(make_stage)


def _publish(store: Store, dataset: str, key: str) -> Any:
    """Show the report, renew the index and the deployment's words, and tell the news."""
    folder = store.runs("evaluate", dataset).run(key).folder
    publish_report(dataset, folder)
    publish_index(index_rows(store))
    renew_description(store, dataset)
    news = tell(dataset, folder)
    return closing_state(news, key)


def _less_what_was_forced(dataset: str, options: Options, store: Store) -> Options:
    """Options for a run that Prefect runs again: what it has forced already is made.

    The first stage decides: those after it have new inputs, so they run, or go on, unforced.
    """
    context = FlowRunContext.get()
    began = context and context.flow_run and context.flow_run.created
    if not options.force or not began:
        return options
    first = options.only or options.start or asked_for(options)[0].name
    latest = store.runs(first, dataset).latest
    done = latest is not None and datetime.fromisoformat(latest.manifest.created) >= began
    return options.model_copy(update={"force": not done})


@contextmanager
def _cancelled_as_asked() -> Iterator[None]:
    """Leave the state of a cancelled run to whoever cancelled it.

    Prefect takes a SIGTERM for a crash unless its own handler was in place when the wish to cancel
    came; a training has another, for its checkpoint.
    """
    try:
        yield
    except TerminationSignal:
        context = FlowRunContext.get()
        assert context
        assert context.flow_run
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(context.flow_run.id).state
        if state and state.is_cancelling():
            raise Abort("cancelled") from None
        raise
