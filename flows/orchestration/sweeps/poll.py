"""Ask every source whether it has moved since the last fetch, and run the pipelines of those.

The question is the cheap one that every plan asks (`Source.resolve`: for a repository one request).
A source that does not answer is a line of the table, and stops no other.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from prefect import flow

from flows.options import Options, prepare
from flows.orchestration.forms import with_help
from flows.orchestration.sweeps.starting import chosen, start_pipeline
from flows.orchestration.tasks import prepared
from flows.planning.plan import make_plan
from flows.reporting.artifacts import publish_sweep
from flows.store.runs import Store
from system.errors import CharmillError
from system.settings import Settings

POLL_SUMMARY = "Ask the sources whether they have moved, and run the pipelines of those that have."
AT_A_TIME = 8
"""Sources asked in parallel; the questions only wait for the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether the source of a dataset has moved, in words."""

    moved: bool
    words: str


@flow(name="poll", description=POLL_SUMMARY)
@with_help(datasets="Names of the datasets (none: all that were fetched before).")
def poll(datasets: tuple[str, ...] = ()) -> None:
    """Start the pipelines of the datasets whose source differs from the last fetch."""
    with prepared():
        names, settings = chosen(datasets), Settings()
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            answers = list(threads.map(lambda name: ask(name, settings, bool(datasets)), names))
        rows = [_started(name, answer) for name, answer in zip(names, answers, strict=True)]
        publish_sweep("poll", "The sources", rows)


def ask(dataset: str, settings: Settings, named: bool) -> Answer:
    """Ask the source of a dataset.

    Args:
        named: by the user; only then is a dataset fetched for the first time.
    """
    options, store = Options(only="fetch"), Store(settings.artifacts_root)
    try:
        last = store.runs("fetch", dataset).latest
        if last is None and not named:
            return Answer(moved=False, words="never fetched; name it to fetch it")
        run = prepare(dataset, options, settings.dataset_folders)
        fetch = make_plan(run, options, store).decisions[-1]
    except CharmillError as error:
        return Answer(moved=False, words=f"not known: {error}")
    if fetch.action == "reuse":
        return Answer(moved=False, words="unchanged")
    return Answer(moved=True, words=f"started: {fetch.reason}")


def _started(dataset: str, answer: Answer) -> tuple[str, str, UUID | None]:
    """Start the pipeline of a dataset whose source has moved; the row of the table."""
    if not answer.moved:
        return dataset, answer.words, None
    run = start_pipeline(dataset)
    if run is None:
        return dataset, f"not started, there is no pipeline of it: {answer.words}", None
    return dataset, answer.words, run.id
