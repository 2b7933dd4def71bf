"""The Prefect flows: one for every stage, and the pipeline that runs what is not current.

Whether a stage has to run is our plan's decision, from our manifests; Prefect's caching stays off.
"""

from prefect import Flow, flow
from prefect.artifacts import create_markdown_artifact

from flows.layout import Layout
from flows.plan import Plan, make_plan
from flows.progress import current_reporter
from flows.run import Options, Run, StageName, prepare
from flows.settings import Settings
from flows.stage import execute
from flows.stages import STAGES

DEFAULTS = Options()
Keys = dict[StageName, str] | None
BY_NAME = {stage.name: stage for stage in STAGES}


@flow(name="fetch", flow_run_name="fetch {dataset}")
def fetch(dataset: str, options: Options = DEFAULTS, inputs: Keys = None) -> str:
    """Bring the raw material of a dataset here: repositories at a commit, a folder's files.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own.
        inputs: stages before to the keys to build on; the latest of each if empty.
    """
    return run_stage("fetch", dataset, options, inputs)


@flow(name="corpus", flow_run_name="corpus {dataset}")
def corpus(dataset: str, options: Options = DEFAULTS, inputs: Keys = None) -> str:
    """Filter what was fetched last, drop duplicates, split it, and write documents and ledger.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own.
        inputs: stages before to the keys to build on; the latest of each if empty.
    """
    return run_stage("corpus", dataset, options, inputs)


@flow(name="train", flow_run_name="train {dataset}")
def train(dataset: str, options: Options = DEFAULTS, inputs: Keys = None) -> str:
    """Train a character LSTM on the corpus that was built last; goes on if it was interrupted.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own.
        inputs: stages before to the keys to build on; the latest of each if empty.
    """
    return run_stage("train", dataset, options, inputs)


@flow(name="sample", flow_run_name="sample {dataset}")
def sample(dataset: str, options: Options = DEFAULTS, inputs: Keys = None) -> str:
    """Let the model that was trained last write, at several temperatures, with fixed seeds.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own.
        inputs: stages before to the keys to build on; the latest of each if empty.
    """
    return run_stage("sample", dataset, options, inputs)


@flow(name="evaluate", flow_run_name="evaluate {dataset}")
def evaluate(dataset: str, options: Options = DEFAULTS, inputs: Keys = None) -> str:
    """Judge the last samples and the model against floor and control, and write the report.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own.
        inputs: stages before to the keys to build on; the latest of each if empty.
    """
    key = run_stage("evaluate", dataset, options, inputs)
    publish_report(dataset, key)
    return key


FLOWS: dict[StageName, Flow] = {
    "fetch": fetch,
    "corpus": corpus,
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
}


@flow(name="pipeline", flow_run_name="pipeline {dataset}")
def pipeline(dataset: str, options: Options = DEFAULTS) -> str:
    """Run every stage of a dataset that is not current, in order, and end with its report.

    Args:
        dataset: name of the dataset.
        options: settings that differ from the dataset's own; start and only choose stages.
    """
    run, plan, layout = plan_for(dataset, options)
    keys: dict[StageName, str] = {}
    for decision in plan.decisions:
        keys[decision.stage] = decision.key
        if decision.action == "reuse":
            layout.point_latest(decision.stage, run.dataset, decision.key)
        else:
            inputs = BY_NAME[decision.stage].choose(keys)
            keys[decision.stage] = FLOWS[decision.stage](dataset, options, inputs)
    return plan.decisions[-1].key


def plan_for(dataset: str, options: Options) -> tuple[Run, Plan, Layout]:
    """Work out settings and plan of a run in the environment's settings."""
    settings = Settings()
    run = prepare(dataset, options, settings.dataset_folders)
    layout = Layout(settings.artifacts_root)
    return run, make_plan(run, options, layout), layout


def run_stage(name: StageName, dataset: str, options: Options, inputs: Keys) -> str:
    """Run one stage on `inputs`, or on what the stages before it made last; give its key."""
    stage = BY_NAME[name]
    alone = options.model_copy(update={"start": None, "only": name})
    settings = Settings()
    if inputs is None:
        run, plan, _ = plan_for(dataset, alone)
        inputs = stage.choose({decision.stage: decision.key for decision in plan.decisions})
    else:
        run = prepare(dataset, alone, settings.dataset_folders)
    manifest = execute(
        stage,
        run,
        inputs,
        settings=settings,
        reporter=current_reporter(),
        force=options.force,
    )
    return manifest.key


def publish_report(dataset: str, key: str) -> None:
    """Show a report in Prefect, as a Markdown artifact with pictures."""
    folder = Layout(Settings().artifacts_root).published("evaluate", dataset, key)
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    create_markdown_artifact(
        key=f"report-{dataset}", markdown=markdown, description=str(folder / "report.html")
    )
