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
]


@dataclass
class Prefect:
    """A server with one deployment, which says yes to everything and remembers it."""

    entrypoint: str = "flows.orchestration.flows.train"
    parameters: dict[str, Any] = field(default_factory=dict)
    heard: list[tuple[str, str, Any]] = field(default_factory=list)
    is_valid: bool = True

    async def answer(self, request) -> JSONResponse:
        if request.method == "GET":
            kind = {"type": "string"}
            properties = dict.fromkeys(("dataset", "preset", "budget"), kind) | {
                "overrides": {"type": "array", "items": kind},
                "force": {"type": "boolean", "default": False},
                "allow_stale": {"type": "boolean"},
            }
            schema = {
                "type": "object",
                "properties": properties,
                "required": ["dataset"],
                "additionalProperties": False,
            }
            known = {"parameters": self.parameters, "parameter_openapi_schema": schema}
            return JSONResponse(known | {"entrypoint": self.entrypoint})
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
    app = Starlette(routes=[Route("/{path:path}", prefect.answer, methods=["GET", method])])

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(CheckedParameters(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, json=body)

    return asyncio.run(run())


def requests_with(parameters: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Every request that makes or changes a run, a schedule or the defaults with them."""
    schedule = {"schedule": {"interval": 60}, "parameters": parameters}
    return [
        ("POST", f"{PATH}/create_flow_run", {"parameters": parameters}),
        ("POST", f"{PATH}/create_flow_run/bulk", [{"parameters": parameters}]),
        ("POST", f"{PATH}/schedules", [schedule]),
        ("PATCH", SCHEDULE, {"parameters": parameters}),
        ("PATCH", PATH, {"parameters": parameters}),
        ("PATCH", PATH, {"schedules": [schedule]}),
    ]


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_a_wrong_parameter_is_refused_in_one_line_wherever_it_is_entered(prefect, wrong, reason):
    for request in requests_with({"dataset": "tiny"} | wrong):
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
        ({"budget": {"__prefect_kind": "json", "value": '"soon"'}}, "budget"),
    ],
)
def test_a_form_shows_the_reason_at_the_field(prefect, values, parameter):
    known: dict[str, Any] = {key: {} for key in ("dataset", "overrides", "force", "allow_stale")}
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
