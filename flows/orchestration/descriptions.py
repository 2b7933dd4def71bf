"""Descriptions of the deployments in Markdown; a finished run updates its own."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound

from corpora.spec import DatasetSpec
from flows.options import StageName, read_dataset
from flows.reporting.artifacts import INDEX, address
from flows.store.runs import Store
from system.clock import minute
from system.errors import CharmillError
from system.markdown import markdown
from system.settings import Settings

PIPELINE = "pipeline"
PIPELINE_SUMMARY = "Run all stages of a dataset that are out of date, up to the report."
SUMMARIES: dict[StageName, str] = {
    "fetch": "Fetch the source of a dataset: repositories, archives, comments or files.",
    "corpus": "Filter the newest fetch, drop duplicates, split it, and write the documents.",
    "train": "Train a character LSTM on the newest corpus; resumes if it was interrupted.",
    "sample": "Generate text with the newest model, at several temperatures, with fixed seeds.",
    "evaluate": "Compare the newest samples and model with floor and control; write the report.",
}


def pipeline_description(store: Store, dataset: str, spec: DatasetSpec) -> str:
    """The description of a dataset's pipeline, in Markdown."""
    title, text = markdown(spec.title), markdown(spec.description)
    return f"**{title}.** {text}\n\n{_newest(store, dataset)}\n\n{links(dataset)}"


def update_description(store: Store, dataset: str) -> None:
    """Link the newest report in the deployment of a dataset, if there is one."""
    spec = read_dataset(dataset, Settings().dataset_folders)
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
    except CharmillError as error:
        return markdown(str(error))
    if report is None or manifest is None:
        return f"No report yet. {PIPELINE_SUMMARY}"
    page = report.folder / "report.html"
    day = minute(manifest.created)
    return (
        f"[Newest report]({address(f'report-{dataset}')}), {day}, as a file `{page}`:\n\n> "
        + markdown(manifest.summary["verdict"])
    )


def links(dataset: str | None = None) -> str:
    """Links to the artifacts, which the UI's sidebar does not show."""
    keys = [f"plan-{dataset}", f"corpus-{dataset}"] if dataset else []
    return "Artifacts: " + ", ".join(f"[{key}]({address(key)})" for key in (*keys, INDEX))
