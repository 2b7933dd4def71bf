"""The forms of the flows: users' schedules store their parameters, so these must not change."""

from uuid import uuid4

import pytest
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment

from flows.options import Options
from flows.orchestration.corpora_flow import corpora
from flows.orchestration.deployments import CHOOSE, defaults_of
from flows.orchestration.flows import STAGE_FLOWS, pipeline, what_if
from flows.retention.limits import Limits
from system.settings import Settings

PIPELINE = ["dataset", "preset", "budget", "overrides", "force", "plan_only", "allow_stale"]
STAGE = [*PIPELINE[:4], "and_after", *PIPELINE[4:]]


@pytest.mark.parametrize(
    ("flow", "names"),
    [
        (pipeline, PIPELINE),
        *((flow, STAGE) for flow in STAGE_FLOWS.values()),
        (what_if, ["dataset", "changes", "overrides"]),
    ],
)
def test_a_form_has_the_parameters_it_always_had(flow, names):
    fields = flow.parameters.properties
    assert sorted(fields, key=lambda name: fields[name]["position"]) == names
    assert flow.parameters.required == ["dataset"]


@pytest.mark.parametrize("flow", [pipeline, STAGE_FLOWS["train"], corpora])
def test_the_options_of_a_form_have_the_defaults_and_help_texts_of_options(flow):
    fields = flow.parameters.properties
    shared = [name for name in Options.model_fields if name in fields]
    assert len(shared) >= 3
    defaults = Options().model_dump(mode="json")
    for name in shared:
        assert fields[name]["default"] == defaults[name]
        assert fields[name]["description"] == Options.help(name)
    assert all(field.get("description") for field in fields.values())


def test_a_schedule_that_stores_only_the_dataset_gets_the_defaults():
    """Prefect passes on a default unchanged, even if it is a pydantic field."""
    values = pipeline.validate_parameters({"dataset": "numpy"})
    options = {name: value for name, value in values.items() if name in Options.model_fields}
    assert Options(**options) == Options()


def test_every_deployment_names_a_flow_that_can_be_loaded(tmp_path):
    from importlib import import_module

    from flows.orchestration.deployments import deployments

    for deployment in deployments(Settings(artifacts=tmp_path, datasets=tmp_path)):
        assert deployment.entrypoint
        module, _, name = deployment.entrypoint.rpartition(".")
        assert getattr(import_module(module), name).name == deployment.flow_name


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Full name of a deployment to its form, and to its default parameters."""
    from flows.orchestration.deployments import deployments

    settings = Settings(artifacts=tmp_path_factory.mktemp("forms"))
    return {
        one.full_name: (one._parameter_openapi_schema.model_dump(), one.parameters)
        for one in deployments(settings)
    }


def test_only_a_pipeline_knows_its_dataset(forms):
    for name, (form, defaults) in forms.items():
        chosen = {"dataset", "datasets"} & set(form["required"])
        assert bool(chosen) == (not name.endswith("/all-datasets")), name
        assert bool(chosen & set(defaults)) == name.startswith("pipeline/"), name


@pytest.mark.parametrize(
    "values",
    [
        {"keep_last": 0},
        {"older_than": "-5s"},
        {"older_than": "20 seconds"},
        {"history": "soon"},
        {"max_size": "50 apples"},
    ],
)
def test_the_form_of_gc_refuses_a_wrong_limit(forms, values):
    from prefect.utilities.schema_tools.validation import validate

    form, _ = forms["gc/all-datasets"]
    (error,) = validate(values, form)
    assert error.json_path == f"$.{next(iter(values))}"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"older_than": " 12h ", "history": "1y", "keep_last": 1},
        {"max_size": "1.5GiB"},
        {"max_size": "500 mb"},
        {"max_size": ""},
    ],
)
def test_the_form_of_gc_takes_what_the_command_line_takes(forms, values):
    from prefect.utilities.schema_tools.validation import validate

    form, _ = forms["gc/all-datasets"]
    assert validate(values, form) == []
    limits = Limits.model_validate(values)
    assert limits.age
    assert limits.history_age
    assert limits.max_bytes is None or limits.max_bytes > 0


@pytest.mark.parametrize(
    ("description", "before", "after"),
    [
        ("of an earlier version", {"dataset": "first", "preset": "base"}, {"preset": "base"}),
        ("of an earlier version", {"dataset": "second"}, {"dataset": "second"}),
        ("of an earlier version", {"datasets": ["first"]}, {}),
        (CHOOSE, {"dataset": "first"}, {"dataset": "first"}),
    ],
)
def test_only_a_dataset_that_was_filled_in_is_no_default_any_more(description, before, after):
    form = {"dataset": {"enum": ["first", "second"]}, "datasets": {"items": {"enum": ["first"]}}}
    existing = DeploymentResponse(
        name="any-dataset",
        flow_id=uuid4(),
        description=description,
        parameters=before,
        parameter_openapi_schema={"properties": form},
    )
    current = RunnerDeployment(name="any-dataset", flow_name="fetch", description=CHOOSE)
    assert defaults_of(existing, current) == after
    pipeline_of_today = RunnerDeployment(name="first", flow_name="pipeline", description="A pipe")
    assert defaults_of(existing, pipeline_of_today) == before
