"""The forms of the flows: users' schedules store their parameters, so these must not change."""

import pytest

from flows.options import Options
from flows.orchestration.corpora_flow import corpora
from flows.orchestration.flows import STAGE_FLOWS, pipeline
from system.settings import Settings

PIPELINE = ["dataset", "preset", "budget", "overrides", "force", "plan_only", "allow_stale"]
STAGE = [*PIPELINE[:4], "and_after", *PIPELINE[4:]]
OF_ITS_OWN = {"corpus": ["what_if"]}


@pytest.mark.parametrize(
    ("flow", "names"),
    [
        (pipeline, PIPELINE),
        *((flow, STAGE + OF_ITS_OWN.get(name, [])) for name, flow in STAGE_FLOWS.items()),
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
