"""Which parameters are refused before a run or a schedule is made of them, and how."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from flows.server.corrections.parameters import FORM, CheckedParameters
from tests.flows.conftest import Tiny

ID = "0d1c9b0e-7b0c-4f0e-9a53-000000000001"
PATH = f"/api/deployments/{ID}"
CREATE = "/api/deployments/"
RUN = f"/api/flow_runs/{ID}"
AUTOMATION = f"/api/automations/{ID}"
SCHEDULE = f"{PATH}/schedules/{ID}"
WRONG = [
    ({"budget": "20 seconds"}, "budget"),
    ({"budget": "-5s"}, "budget"),
    ({"overrides": ["foo=1"]}, "foo=1: expected SECTION.KEY=VALUE"),
    ({"overrides": ["train.learning_rate=abc"]}, "learning_rate"),
    ({"overrides": ["corpus.max_bytes=many"]}, "max_bytes"),
    ({"preset": "huge"}, "no preset 'huge'"),
    ({"dataset": "nowhere"}, "nowhere"),
    ({"force": "perhaps"}, "'perhaps' is not of type 'boolean'"),
    ({"no_such_thing": 1}, "no_such_thing"),
    ({"changes": ["text.max_line=many"]}, "text.max_line"),
    ({"changes": ["max_bytes"]}, "what-if max_bytes: expected KEY=VALUE with KEY one of"),
    ({"changes": ["train.seed=3"]}, "train.seed is a setting of the stage train"),
]
SCHEMA = {
    "type": "object",
    "properties": {
        "dataset": {"type": "string"},
        "datasets": {"type": "array", "items": {"type": "string"}},
        "preset": {"type": "string"},
        "budget": {"type": "string"},
        "overrides": {"type": "array", "items": {"type": "string"}},
        "changes": {"type": "array", "items": {"type": "string"}},
        "force": {"type": "boolean", "default": False},
        "allow_stale": {"type": "boolean"},
    },
    "required": ["dataset"],
    "additionalProperties": False,
}
ENTRYPOINT = "flows.orchestration.flows.train"


@dataclass
class Prefect:
    """A server with one deployment, which says yes to everything and remembers it."""

    entrypoint: str = ENTRYPOINT
    schema: Any = field(default_factory=lambda: SCHEMA)
    parameters: dict[str, Any] = field(default_factory=dict)
    registered: list[dict[str, Any]] = field(default_factory=list)
    heard: list[tuple[str, str, Any]] = field(default_factory=list)
    is_valid: bool = True

    async def answer(self, request) -> JSONResponse:
        if request.method == "GET":
            known = {"parameters": self.parameters, "parameter_openapi_schema": self.schema}
            return JSONResponse(known | {"entrypoint": self.entrypoint, "deployment_id": ID})
        if request.url.path == f"{CREATE}filter":
            return JSONResponse([{"parameters": one} for one in self.registered])
        self.heard.append((request.method, request.url.path, await request.json()))
        if request.url.path == FORM:
            return JSONResponse({"errors": [], "valid": self.is_valid})
        return JSONResponse({"id": ID}, 201)


@pytest.fixture
def prefect(tiny: Tiny, monkeypatch) -> Prefect:
    for name, value in tiny.environment().items():
        monkeypatch.setenv(name, value)
    return Prefect()


def send(prefect: Prefect, method: str, path: str, body: Any) -> httpx.Response:
    methods = ["GET", "POST", method]
    app = Starlette(routes=[Route("/{path:path}", prefect.answer, methods=methods)])

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(CheckedParameters(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, json=body)

    return asyncio.run(run())


def requests_with(parameters: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Every request that makes or changes a run, a schedule or the defaults with them."""
    schedule = {"schedule": {"interval": 60}, "parameters": parameters}
    created = creation(parameters)
    later = creation({"dataset": "tiny"}) | {"schedules": [schedule]}
    started = {"type": "run-deployment", "deployment_id": ID, "parameters": parameters}
    automation = {"actions": [{"type": "do-nothing"}, started]}
    return [
        ("POST", f"{PATH}/create_flow_run", {"parameters": parameters}),
        ("POST", f"{PATH}/create_flow_run/bulk", [{"parameters": parameters}]),
        ("POST", f"{PATH}/schedules", [schedule]),
        ("PATCH", SCHEDULE, {"parameters": parameters}),
        ("PATCH", PATH, {"parameters": parameters}),
        ("PATCH", PATH, {"schedules": [schedule]}),
        ("POST", CREATE, created),
        ("POST", CREATE, later),
        ("PATCH", RUN, {"parameters": parameters}),
        ("POST", "/api/flow_runs/", {"deployment_id": ID, "parameters": parameters}),
        ("POST", "/api/automations/", automation),
        ("PUT", AUTOMATION, automation),
    ]


def creation(parameters: dict[str, Any]) -> dict[str, Any]:
    """What `prefect deploy`, or a program of the user's, sends to create a deployment."""
    made = {"name": "mine", "flow_id": ID, "entrypoint": ENTRYPOINT, "parameters": parameters}
    return made | {"parameter_openapi_schema": SCHEMA}


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_a_wrong_parameter_is_refused_in_one_line_wherever_it_is_entered(prefect, wrong, reason):
    for request in requests_with({"dataset": "tiny"} | wrong):
        if "dataset" in wrong and request[1] == CREATE and "schedules" not in request[2]:
            continue  # the mere name of a dataset
        answer = send(prefect, *request)
        assert answer.status_code == 409, request
        assert reason in answer.json()["detail"]
        assert "\n" not in answer.json()["detail"]
    assert prefect.heard == []


def test_right_parameters_reach_prefect_unchanged(prefect):
    right = {"dataset": "tiny", "budget": "20s", "overrides": ["train.learning_rate=0.004"]}
    sent = requests_with(right)
    assert [send(prefect, *request).status_code for request in sent] == [201] * len(sent)
    assert prefect.heard == sent


def test_defaults_of_the_deployment_count_as_entered(prefect):
    prefect.parameters = {"dataset": "tiny", "overrides": ["train.no_such_key=1"]}
    answer = send(prefect, "POST", f"{PATH}/create_flow_run", {})
    assert "no_such_key" in answer.json()["detail"]


def test_what_a_deployment_has_already_does_not_keep_it_from_being_registered(prefect):
    stale = {"dataset": "tiny", "overrides": ["train.no_such_key=1"]}
    prefect.registered = [stale]
    assert send(prefect, "POST", CREATE, creation(stale)).status_code == 201
    changed = send(prefect, "POST", CREATE, creation(stale | {"budget": "20s"}))
    assert "no_such_key" in changed.json()["detail"]


def test_a_deployment_of_a_dataset_with_an_invalid_toml_is_registered(prefect):
    assert send(prefect, "POST", CREATE, creation({"dataset": "broken"})).status_code == 201


@pytest.mark.parametrize(
    "schema", [None, [], {"properties": 5}, {"required": 5}, {"properties": {"a": {"$ref": "#"}}}]
)
def test_options_are_checked_where_the_schema_is_none(prefect, schema):
    sent = creation({"dataset": "tiny", "budget": "20 seconds"})
    answer = send(prefect, "POST", CREATE, sent | {"parameter_openapi_schema": schema})
    assert (answer.status_code, "budget" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("wrong", [{"budget": "20 seconds"}, {"overrides": ["train.foo=1"]}])
def test_options_for_all_datasets_are_checked_too(prefect, wrong):
    prefect.schema = SCHEMA | {"required": []}
    request = (f"{PATH}/create_flow_run", {"parameters": {"datasets": []} | wrong})
    assert send(prefect, "POST", *request).status_code == 409
    right = {"overrides": ["corpus.max_bytes=5000"], "budget": "20s"}
    request = (f"{PATH}/create_flow_run", {"parameters": right})
    assert send(prefect, "POST", *request).status_code == 201


@pytest.mark.parametrize("path", [f"{PATH}/create_flow_run", f"{PATH}/schedules"])
def test_a_run_or_schedule_without_a_dataset_is_told_to_choose_one(prefect, path):
    body = [{"schedule": {"interval": 60}}] if path.endswith("schedules") else {}
    answer = send(prefect, "POST", path, body)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("dataset: choose one")


def test_what_mentions_no_parameters_is_not_looked_at(prefect):
    prefect.parameters = {"dataset": "gone"}
    for body in ({"active": False}, {"paused": True}):
        assert send(prefect, "PATCH", SCHEDULE, body).status_code == 201
    for path in (RUN, AUTOMATION):
        assert send(prefect, "PATCH", path, {"name": "new"}).status_code == 201


def test_deployments_of_other_flows_are_not_looked_at(prefect):
    prefect.entrypoint = "elsewhere.py:flow"
    body = {"parameters": {"budget": "20 seconds"}}
    assert send(prefect, "POST", f"{PATH}/create_flow_run", body).status_code == 201


@pytest.mark.parametrize("body", ["{", "[1, 2]", '{"parameters": [1]}', '{"parameters": null}'])
def test_a_malformed_request_is_for_prefect_to_refuse(body):
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["PATCH"])])

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(CheckedParameters(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request("PATCH", PATH, content=body)

    assert asyncio.run(run()).text == body


async def echo(request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"budget": "20 seconds"}, "budget"),
        ({"overrides": ["foo=1"]}, "overrides"),
        ({"preset": "huge"}, "preset"),
        ({"changes": ["text.max_line=many"]}, "changes"),
        ({"budget": {"__prefect_kind": "json", "value": '"soon"'}}, "budget"),
    ],
)
def test_a_form_shows_the_reason_at_the_field(prefect, values, parameter):
    known: dict[str, Any] = {key: {} for key in ("dataset", "changes", "overrides")}
    form = {"schema": {"properties": known}, "values": {"dataset": "tiny"} | values}
    found = send(prefect, "POST", FORM, form).json()
    assert not found["valid"]
    (error,) = found["errors"]
    assert error["property"] == parameter
    assert len(error["errors"]) == 1


def test_other_forms_and_right_values_get_the_answer_of_prefect(prefect):
    known: dict[str, Any] = {key: {} for key in ("dataset", "overrides", "force", "allow_stale")}
    forms = [
        {"schema": {"properties": known}, "values": {"dataset": "tiny", "budget": "20s"}},
        {"schema": {"properties": {"budget": {}}}, "values": {"budget": "20 seconds"}},
    ]
    for form in forms:
        assert send(prefect, "POST", FORM, form).json() == {"errors": [], "valid": True}
    assert [body for _, _, body in prefect.heard] == forms
