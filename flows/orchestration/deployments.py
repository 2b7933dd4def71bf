"""The deployments: a pipeline per dataset, one per stage, and those for many datasets.

Whatever users can change in Prefect's UI is kept when a deployment already exists: its schedules
(with their parameters), pause switch, default parameters, tags and limits. Only what follows from
our code and the datasets is updated.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.annotations import freeze

from corpora.errors import SpecError
from corpora.spec import DatasetSpec, dataset_files
from flows.options import OWN_PRESET, read_dataset
from flows.orchestration.corpora_flow import corpora
from flows.orchestration.descriptions import SUMMARIES, described, pipeline_description
from flows.orchestration.flows import STAGE_FLOWS, gc, pipeline, what_if
from flows.orchestration.sweeps.pipelines import pipelines
from flows.orchestration.sweeps.poll import poll
from flows.retention.limits import AGE, SIZE
from flows.store.runs import Store
from modeling.presets import PRESETS
from system.settings import Settings

logger = logging.getLogger(__name__)
STAGE_NAME, MANY_NAME, ALL_NAME = "any-dataset", "many-datasets", "all-datasets"
MANY_SUMMARY = "Fetch many datasets and build their corpora; a failure does not stop the others."
CHOOSE = "Every run and every schedule chooses its dataset; there is no default."
FORM_RULES = {
    "keep_last": {"minimum": 1},
    "older_than": {"pattern": rf"^\s*{AGE.pattern}\s*$"},
    "history": {"pattern": rf"^\s*{AGE.pattern}\s*$"},
    "max_size": {"pattern": rf"(?i)^\s*({SIZE.pattern})?\s*$"},
}
"""JSON-schema rules of the limits of gc; the server checks the options of the other flows."""
USER_FIELDS = ("schedules", "paused", "parameters", "tags", "concurrency_limit")


def readable_datasets(settings: Settings) -> dict[str, DatasetSpec]:
    """Every dataset with a valid TOML; an invalid one is logged and skipped."""
    try:
        names = list(dataset_files(settings.dataset_folders))
    except SpecError as error:
        logger.warning("your own datasets are skipped: %s", error)
        names = list(dataset_files(()))
    found = {}
    for name in names:
        try:
            found[name] = read_dataset(name, settings.dataset_folders)
        except SpecError as error:
            logger.warning("skipped: %s", error)
    return found


def deployments(
    settings: Settings, artifacts: Mapping[str, str] | None = None
) -> Iterator[RunnerDeployment]:
    """All deployments, as registered with a new server.

    Args:
        artifacts: addresses of the artifacts that exist, by key, for a server without our pages.
    """
    known = artifacts or {}
    specs = readable_datasets(settings)
    store = Store(settings.artifacts_root)
    for name, spec in specs.items():
        yield _deployment(
            pipeline,
            name,
            {"dataset": freeze(name)},
            pipeline_description(store, name, spec, known),
            ["pipeline", name, spec.language],
            {},
        )
    yield _deployment(
        corpora,
        MANY_NAME,
        {},
        described(f"{MANY_SUMMARY} {CHOOSE}", known),
        ["corpora"],
        {"datasets": list(specs)},
    )
    for flow in (gc, pipelines, poll):
        words = described(flow.description or "", known)
        yield _deployment(flow, ALL_NAME, {}, words, [flow.name], {"datasets": list(specs)})
    choices = {"dataset": list(specs)}
    for stage, flow in STAGE_FLOWS.items():
        words = described(f"{SUMMARIES[stage]} {CHOOSE}", known)
        yield _deployment(flow, STAGE_NAME, {}, words, ["stage", stage], choices)
    words = described(f"{what_if.description} {CHOOSE}", known)
    yield _deployment(what_if, STAGE_NAME, {}, words, [what_if.name], choices)


async def register(deployment: RunnerDeployment) -> None:
    """Prepare the deployment so that applying it keeps what users changed."""
    async with get_client() as client:
        try:
            existing = await client.read_deployment_by_name(deployment.full_name)
        except ObjectNotFound:
            return
    known = _properties(deployment)
    kept = {k: v for k, v in defaults_of(existing, deployment).items() if k in known}
    if set(kept) == set(existing.parameters):
        deployment.model_fields_set.difference_update(USER_FIELDS)
    else:  # a parameter is no longer in the form, or needs no default: keep the user's others
        deployment.model_fields_set.difference_update(set(USER_FIELDS) - {"parameters"})
        deployment.parameters = deployment.parameters | kept


def defaults_of(existing: DeploymentResponse, deployment: RunnerDeployment) -> dict[str, Any]:
    """The default parameters that users chose.

    Earlier versions filled in the first dataset where every run must now choose one.
    """
    chosen, before = deployment.description or "", existing.description or ""
    if CHOOSE not in chosen or CHOOSE in before:
        return existing.parameters
    forms = (existing.parameter_openapi_schema or {}).get("properties", {})
    one = forms.get("dataset", {}).get("enum", [None])[0]
    many = forms.get("datasets", {}).get("items", {}).get("enum", [])[:1]
    filled_in = {"dataset": one, "datasets": many}
    return {k: v for k, v in existing.parameters.items() if k not in filled_in or v != filled_in[k]}


def _deployment(
    flow: Flow,
    name: str,
    parameters: Mapping[str, Any],
    description: str,
    tags: list[str],
    choices: dict[str, list[str]],
) -> RunnerDeployment:
    """A deployment whose form offers `choices` (parameter to values) and the presets.

    For a parameter that is a list, the values are offered for each item.
    """
    deployment = RunnerDeployment.from_flow(
        flow,
        name=name,
        parameters=dict(parameters),
        description=description,
        tags=tags,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    # Prefect would name the function, and all stage flows share one.
    deployment.entrypoint = f"{flow.__module__}.{flow.name.replace('-', '_')}"
    for parameter, values in (choices | {"preset": [OWN_PRESET, *PRESETS]}).items():
        if form := _properties(deployment).get(parameter):
            form.get("items", form)["enum"] = values
    for parameter, rule in FORM_RULES.items():
        if form := _properties(deployment).get(parameter):
            form.update(rule)
    return deployment


def _properties(deployment: RunnerDeployment) -> dict[str, Any]:
    """The form of a deployment, parameter to JSON schema; Prefect has no public access to it."""
    return deployment._parameter_openapi_schema.properties
