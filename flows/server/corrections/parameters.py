"""Middleware that refuses wrong parameters of our flows when they are entered, with the reason.

Prefect checks the types of a run's parameters (since PrefectHQ/prefect 10773), and up to 3.9.1
nothing of a schedule's: `20 seconds` as a budget, or `train.learning_rate=abc`, would make a run
that fails a second later, at night maybe. Here the settings of the run are computed as the run
itself does. The form of the UI asks for such a check before it sends anything, and shows the reason
at the field.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corpora.spec import dataset_files
from flows.options import OWN_PRESET, Options, prepare
from flows.server.corrections.entered import entered, takes_parameters
from flows.server.corrections.inner import ask
from system.errors import CharmillError
from system.settings import Settings

logger = logging.getLogger(__name__)
FORM = "/api/ui/schemas/validate"
OURS = "flows.orchestration."
FORMS = ({"overrides", "force", "allow_stale"}, {"dataset", "changes", "overrides"})
"""Fields by which the forms of our flows are known."""
USUAL: dict[str, Any] = {"preset": OWN_PRESET, "overrides": (), "budget": "", "changes": ()}
CHOOSE = "dataset: choose one; Custom run in the UI lists them"


@dataclass(frozen=True, slots=True)
class Fault:
    """A parameter, and in one line what is wrong with it."""

    parameter: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedParameters:
    """Answer wrong parameters with 409 and the reason; pass everything else to `app`."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket or the lifespan."""
        path = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] not in ("POST", "PATCH", "PUT"):
            await self.app(scope, receive, send)
        elif path == FORM:
            body = await Request(scope, receive).body()
            await (await self._form(body))(scope, receive, send)
        elif takes_parameters(path):
            body = await Request(scope, receive).body()
            fault = await self._fault(path, _parsed(body))
            if fault is None:
                await self.app(scope, _repeating(body, receive), send)
            else:
                await JSONResponse({"detail": fault.reason}, 409)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _fault(self, path: str, sent: Any) -> Fault | None:
        """The first fault of the runs, schedules or defaults that a request would make."""
        for one in await entered(self.app, path, sent):
            if str(one.deployment.get("entrypoint")).startswith(OURS):
                schema = one.deployment.get("parameter_openapi_schema")
                known = schema if isinstance(schema, dict) else {}
                if found := await asyncio.to_thread(fault_of, one.values, known, one.is_default):
                    return found
        return None

    async def _form(self, body: bytes) -> JSONResponse:
        """Prefect's own answer to a form, and ours."""
        answer = await ask(self.app, "POST", FORM, body)
        sent = _parsed(body)
        if answer.status_code != httpx.codes.OK or not _is_ours(sent):
            return JSONResponse(answer.json(), answer.status_code)
        found = answer.json()
        if found["valid"]:
            values = await asyncio.to_thread(_plain, sent["values"])
            if fault := await asyncio.to_thread(fault_in_options, values):
                errors = [{"property": fault.parameter, "errors": [fault.reason]}]
                found = {"errors": errors, "valid": False}
        return JSONResponse(found)


def fault_of(
    values: Mapping[str, Any], schema: Mapping[str, Any], is_default: bool
) -> Fault | None:
    """The first fault of all parameters of a run, also of those that Prefect's schema describes.

    Args:
        is_default: the values are those of a deployment, and a run may add more.
    """
    from prefect.utilities.schema_tools import validation

    plain, described = _plain(values), dict(schema)
    try:
        validation.is_valid_schema(described, preprocess=False)
        if "dataset" in schema.get("required", ()) and "dataset" not in plain and not is_default:
            return Fault("dataset", CHOOSE)
        validation.validate(plain, described, raise_on_error=True, ignore_required=is_default)
    except validation.ValidationError as error:
        return Fault("", str(error))
    except (ValueError, validation.CircularSchemaRefError):
        logger.info("parameters without a usable schema: only their options are checked")
    return fault_in_options(plain)


def fault_in_options(values: Mapping[str, Any]) -> Fault | None:
    """The first fault of the options among the parameters, found as the run itself would.

    Options without a dataset are for all of them, and are right if they are so for one.
    """
    dataset = values.get("dataset")
    names = [dataset] if isinstance(dataset, str) else values.get("datasets") or ()
    chosen = {name: values[name] for name in USUAL if values.get(name, USUAL[name]) != USUAL[name]}
    if names and isinstance(names, list | tuple):
        faults = (_fault_for(name, values) for name in names)
        return next(filter(None, faults), None)
    if not chosen:
        return None
    faults = []
    for name in dataset_files(Settings().dataset_folders):
        if (fault := _fault_for(name, chosen)) is None:
            return None
        faults.append(fault)
    return faults[0]


def _fault_for(dataset: str, values: Mapping[str, Any]) -> Fault | None:
    """The first fault of the options for one dataset."""
    folders = Settings().dataset_folders
    chosen: dict[str, Any] = {}
    for option, usual in USUAL.items():
        chosen[option] = values.get(option, usual)
        changes = chosen.get("changes") or ()
        try:
            parsed = Options.model_validate({k: v for k, v in chosen.items() if k != "changes"})
        except ValueError:  # placeholders, which only Prefect can replace
            return None
        try:
            if changes:
                from flows.planning.what_if import changed_runs  # loads what builds corpora

                changed_runs(dataset, parsed, changes, folders)
            else:
                prepare(dataset, parsed, folders)
        except CharmillError as error:
            return Fault(option, str(error))
    return None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the JSON that was typed into a form as the values it describes."""
    from prefect.utilities.schema_tools.hydration import hydrate

    return hydrate(dict(values))


def _is_ours(sent: Any) -> bool:
    """Whether a form is that of a flow with our options."""
    if not isinstance(sent, dict) or not isinstance(sent.get("values"), dict):
        return False
    schema = sent.get("schema")
    known = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return isinstance(known, dict) and any(fields <= set(known) for fields in FORMS)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):  # Prefect will refuse it
        return None


def _repeating(body: bytes, receive: Receive) -> Receive:
    """Give the body of a request to whoever asks first, as if it had not been read yet."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
