"""What the pages of the deployments say, in Markdown; a finished run renews its own."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound

from corpora.spec import DatasetSpec, load_dataset
from flows.errors import StageError
from flows.options import StageName
from flows.reporting.artifacts import INDEX, address
from flows.store.runs import Store
from system.clock import minute
from system.settings import Settings

PIPELINE = "pipeline"
PIPELINE_SUMMARY = "Run every stage of a dataset that is not current, and end with its report."
SUMMARIES: dict[StageName, str] = {
    "fetch": "Bring the raw material of a dataset here: repositories, archives, comments, files.",
    "corpus": "Filter what was fetched last, drop duplicates, split it, write the documents.",
    "train": "Train a character LSTM on the corpus built last; goes on if it was interrupted.",
    "sample": "Let the model trained last write, at several temperatures, with fixed seeds.",
    "evaluate": "Judge the last samples and model against floor and control; write the report.",
}


def pipeline_description(store: Store, dataset: str, spec: DatasetSpec) -> str:
    """What the page of a dataset's pipeline says, in Markdown."""
    return f"**{spec.title}.** {spec.description}\n\n{_newest(store, dataset)}\n\n{links(dataset)}"


def renew_description(store: Store, dataset: str) -> None:
    """Let the deployment of a dataset name its newest report, if there is such a deployment."""
    spec = load_dataset(dataset, Settings().dataset_folders)
    words = pipeline_description(store, dataset, spec)
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name(f"{PIPELINE}/{dataset}")
        except ObjectNotFound:
            return
        client.update_deployment(known.id, DeploymentUpdate(description=words))


def _newest(store: Store, dataset: str) -> str:
    try:
        report = store.runs("evaluate", dataset).latest
        manifest = report.manifest if report else None
    except StageError as error:
        return str(error)
    if report is None or manifest is None:
        return f"No report yet. {PIPELINE_SUMMARY}"
    page = report.folder / "report.html"
    day = minute(manifest.created)
    return (
        f"[Newest report]({address(f'report-{dataset}')}), {day}, as a file `{page}`:\n\n> "
        + (manifest.summary["verdict"])
    )


def links(dataset: str | None = None) -> str:
    """Where the artifacts are: the UI's sidebar does not lead there."""
    keys = [f"plan-{dataset}", f"corpus-{dataset}"] if dataset else []
    return "Artifacts: " + ", ".join(f"[{key}]({address(key)})" for key in (*keys, INDEX))
