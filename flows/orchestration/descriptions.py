"""Descriptions of the deployments in Markdown; a finished run updates its own."""

from collections.abc import Mapping, Sequence

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound

from corpora.spec import DatasetSpec
from flows.options import StageName, read_dataset
from flows.reporting.addresses import (
    are_served,
    newest_artifacts,
    page_links,
    report_address,
)
from flows.reporting.artifacts import INDEX
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


def pipeline_description(
    store: Store, dataset: str, spec: DatasetSpec, artifacts: Mapping[str, str]
) -> str:
    """The description of a dataset's pipeline, in Markdown.

    Args:
        artifacts: addresses of the artifacts that exist, by key, for a server without our pages.
    """
    title, text = markdown(spec.title), markdown(spec.description)
    newest = _newest(store, dataset, artifacts.get(f"report-{dataset}"))
    return _paragraphs(f"**{title}.** {text}", newest, links(artifacts, dataset))


def update_description(store: Store, dataset: str) -> None:
    """Link the newest report in the deployment of a dataset, if there is one."""
    spec = read_dataset(dataset, Settings().dataset_folders)
    artifacts = known_artifacts([dataset])
    words = pipeline_description(store, dataset, spec, artifacts)
    with get_client(sync_client=True) as client:
        try:
            known = client.read_deployment_by_name(f"{PIPELINE}/{dataset}")
        except ObjectNotFound:
            return
        client.update_deployment(known.id, DeploymentUpdate(description=words))


def _newest(store: Store, dataset: str, artifact: str | None) -> str:
    try:
        report = store.runs("evaluate", dataset).latest
        manifest = report.manifest if report else None
    except CharmillError as error:
        return markdown(str(error))
    if report is None or manifest is None:
        return f"No report yet. {PIPELINE_SUMMARY}"
    page = report.folder / "report.html"
    address = report_address(dataset, report.key) if are_served() else artifact
    name = f"[Newest report]({address})" if address else "Newest report"
    return f"{name}, {minute(manifest.created)}, as a file `{page}`:\n\n> " + markdown(
        manifest.summary["verdict"]
    )


def known_artifacts(datasets: Sequence[str]) -> dict[str, str]:
    """Addresses of the artifacts that exist, by key; none if the server has our pages instead."""
    if are_served():
        return {}
    keys = [f"{kind}-{dataset}" for dataset in datasets for kind in ("report", "plan", "corpus")]
    return newest_artifacts([*keys, INDEX])


def links(artifacts: Mapping[str, str], dataset: str | None = None) -> str:
    """Links to our pages, or to the artifacts that exist, which the UI's sidebar does not show."""
    if are_served():
        return page_links(dataset)
    keys = [f"plan-{dataset}", f"corpus-{dataset}"] if dataset else []
    found = [f"[{key}]({artifacts[key]})" for key in (*keys, INDEX) if key in artifacts]
    return f"Artifacts: {', '.join(found)}" if found else ""


def described(summary: str, artifacts: Mapping[str, str]) -> str:
    """The description of a deployment that is of no dataset."""
    return _paragraphs(summary, links(artifacts))


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))
