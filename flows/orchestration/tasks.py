"""Execute a plan in a Prefect flow run: every stage that is out of date is a task.

The plan decides from our manifests whether a stage must run; Prefect's caching is off. A flow that
Prefect retries (Retry in the UI) makes a new plan: finished stages are reused, and a training
resumes from its last checkpoint.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.tasks import exponential_backoff

from flows.options import Options, StageName, prepare
from flows.orchestration.concurrency import (
    FIRST_PAUSE_SECONDS,
    JITTER,
    RETRIES,
    training_slot,
    worth_a_retry,
)
from flows.orchestration.descriptions import update_description
from flows.orchestration.endings.stopped import end_if_deleted, stoppable
from flows.orchestration.events import announce, closing_state
from flows.orchestration.reporter import RunReporter
from flows.planning.exchange import exchange, send_finished
from flows.planning.init_from import pinned
from flows.planning.plan import Plan, asked_for, reserved_plan
from flows.progress import current_reporter, driven
from flows.reporting.artifacts import (
    publish_corpus,
    publish_index,
    publish_plan,
    publish_report,
    publish_what_if,
)
from flows.reporting.index import index_rows, renewing_index
from flows.server.prefect_settings import LOGGERS
from flows.stages.devices import device_of
from flows.stages.table import STAGES
from flows.store.disk import check_space
from flows.store.runs import Store
from flows.store.stage import execute
from flows.store.status import recording_failure
from system.output import clean_output
from system.pool import Pool
from system.settings import Settings

PLAN_SECONDS = 600
"""Time limit for asking a source for its current version."""
BY_NAME = {stage.name: stage for stage in STAGES}
PERSISTENT: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": RETRIES,
    "retry_delay_seconds": exponential_backoff(FIRST_PAUSE_SECONDS),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": worth_a_retry,
}


def follow(dataset: str, options: Options, *, plan_only: bool) -> Any:
    """Make a plan, show it, and execute it.

    Returns:
        The key of the last stage; for a new report, a Prefect state that names the outcome.
    """
    store = Store(Settings().artifacts_root)
    with entered(store):
        options = _without_force_on_retry(dataset, pinned(options, store), store)
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
    """Set-up and tear-down of a flow run: as `prepared`, and the report index."""
    with prepared(), renewing_index(store):
        yield


@contextmanager
def prepared() -> Iterator[None]:
    """Set-up and tear-down of every flow run: logging, how it ends when it is stopped."""
    show_our_logs()
    clean_output()
    with stoppable():
        yield


def show_our_logs() -> None:
    """Set the level of our loggers: Prefect gives them a handler but no level."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)


def carry_out(
    plan: Plan, options: Options, store: Store, make: Callable[..., str]
) -> dict[StageName, str]:
    """Execute a plan; return the key of every stage.

    Args:
        make: `make_stage`, or its task.
    """
    check_space(store)
    keys: dict[StageName, str] = {}
    for decision in plan.decisions:
        keys[decision.stage] = decision.key
        if decision.action == "reuse":
            store.runs(decision.stage, plan.dataset).run(decision.key).make_latest()
        else:
            inputs = BY_NAME[decision.stage].choose(keys)
            with _device_for(decision.stage, plan.dataset, store):
                keys[decision.stage] = make(decision.stage, plan.dataset, options, inputs)
    return keys


@contextmanager
def _device_for(stage: StageName, dataset: str, store: Store) -> Iterator[None]:
    """Hold the device while a training runs; other stages need none."""
    if stage != "train":
        yield
        return
    with recording_failure(store.runs(stage, dataset)):
        device = str(device_of(Settings().device))
    with training_slot(device, store, current_reporter() or RunReporter(dataset)):
        yield


def share(dataset: str, options: Options) -> None:
    """Fetch finished stages from the remote store, and send it those that it lacks."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    with recording_failure(Store(settings.artifacts_root).runs("fetch", dataset)):
        exchange(run, options, settings)


def plan_stages(dataset: str, options: Options) -> Plan:
    """Decide which stages must run; may ask the source for its current version."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    return reserved_plan(run, options, Store(settings.artifacts_root))


def make_stage(
    name: StageName,
    dataset: str,
    options: Options,
    inputs: dict[StageName, str],
    workers: Pool | None = None,
) -> str:
    """Run one stage on `inputs`; return its key."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    store = Store(settings.artifacts_root)
    reporter = current_reporter() or RunReporter(dataset)
    with recording_failure(store.runs(name, dataset)):
        manifest = execute(
            BY_NAME[name],
            run,
            inputs,
            settings=settings,
            reporter=reporter,
            force=options.force,
            workers=workers,
        )
    finished = store.runs(name, dataset).run(manifest.key)
    send_finished(finished, run, settings)
    if name == "corpus":
        publish_corpus(dataset, finished.folder)
    return finished.key


def judge_changes(dataset: str, options: Options, changes: Sequence[str]) -> None:
    """Judge the files of the last fetch with every change, and publish the artifact."""
    from flows.planning.what_if import what_if

    reporter = current_reporter() or RunReporter(dataset)
    start = time.monotonic()
    work = what_if(dataset, options, changes, Settings())
    found = driven(work, reporter, "what-if", dataset)
    publish_what_if(found)
    seconds = time.monotonic() - start
    reporter.finished("what-if", dataset, key=found.fetch, seconds=seconds)


share_task = task(name="share", task_run_name="share {dataset}", **PERSISTENT)(share)
plan_task = task(
    name="plan", task_run_name="plan {dataset}", timeout_seconds=PLAN_SECONDS, **PERSISTENT
)(plan_stages)
stage_task = task(name="stage", task_run_name="{name} {dataset}", **PERSISTENT)(make_stage)

what_if_task = task(name="what-if", task_run_name="what-if {dataset}", **PERSISTENT)(judge_changes)


def _publish(store: Store, dataset: str, key: str) -> Any:
    """Publish the report, update index, pages and deployment, and announce the outcome."""
    from flows.pages.files import renew_pages

    end_if_deleted()
    folder = store.runs("evaluate", dataset).run(key).folder
    publish_report(dataset, folder)
    publish_index(index_rows(store))
    renew_pages(store, [dataset])
    update_description(store, dataset)
    return closing_state(announce(dataset, folder), key)


def _without_force_on_retry(dataset: str, options: Options, store: Store) -> Options:
    """Drop `force` when Prefect retries a run that has already forced its first stage.

    The later stages have new inputs, so they run, or resume, without being forced.
    """
    context = FlowRunContext.get()
    began = context and context.flow_run and context.flow_run.created
    if not options.force or not began:
        return options
    first = options.only or options.start or asked_for(options)[0].name
    latest = store.runs(first, dataset).latest
    done = latest is not None and datetime.fromisoformat(latest.manifest.created) >= began
    return options.model_copy(update={"force": not done})
