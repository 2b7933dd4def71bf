"""Which parameters of a run a request would store, wherever the API of Prefect takes any.

They are entered for a run, a schedule, the defaults of a deployment that exists or is created, and
for the runs that an automation will start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from flows.server.corrections.inner import DEPLOYMENT, ask, read_deployment

DEPLOYMENTS = re.compile(r"/api/deployments/?")
RUN = re.compile(r"/api/flow_runs/(?P<id>[0-9a-f-]{36})/?")
RUNS = re.compile(r"/api/flow_runs/?")
AUTOMATIONS = re.compile(r"/api/automations/([0-9a-f-]{36}/?)?")
DATASETS = {"dataset", "datasets"}


@dataclass(frozen=True, slots=True)
class Entered:
    """Parameters, and the deployment that they are for.

    Attributes:
        deployment: as Prefect answers it; at least with its `entrypoint` and schema.
        values: complete, those that the deployment fills in included.
        is_default: they are those of the deployment, and a run may add more.
    """

    deployment: Mapping[str, Any]
    values: Mapping[str, Any]
    is_default: bool = False


def takes_parameters(path: str) -> bool:
    """Whether requests to this path may enter parameters."""
    known = (DEPLOYMENT, DEPLOYMENTS, RUN, RUNS, AUTOMATIONS)
    return any(pattern.fullmatch(path) for pattern in known)


async def entered(app: ASGIApp, path: str, sent: Any) -> list[Entered]:
    """All parameters that a request would store.

    Args:
        path: one that `takes_parameters`.
        sent: the body of the request.
    """
    if place := DEPLOYMENT.fullmatch(path):
        return await _for_deployment(app, place, sent)
    one = sent if isinstance(sent, dict) else {}
    if DEPLOYMENTS.fullmatch(path):
        return await _with_deployment(app, one)
    if place := RUN.fullmatch(path):
        if "parameters" not in one:
            return []
        run = (await ask(app, "GET", f"/api/flow_runs/{place['id']}")).json()
        return await _of_run(app, one | {"deployment_id": run.get("deployment_id")})
    if RUNS.fullmatch(path):
        return await _of_run(app, one)
    return await _by_automation(app, one)


async def _for_deployment(app: ASGIApp, place: re.Match[str], sent: Any) -> list[Entered]:
    """Runs, schedules or defaults of one deployment."""
    is_default = place["action"] is None
    several = _mappings(sent if isinstance(sent, list) else [sent])
    several += [nested for one in several for nested in _mappings(one.get("schedules"))]
    if place["action"] not in ("/create_flow_run", "/schedules"):  # these inherit what they omit
        several = [one for one in several if isinstance(one.get("parameters"), dict)]
    if not several:
        return []
    known = await read_deployment(app, place["id"])
    inherited = {} if is_default else known.get("parameters", {})
    return [Entered(known, inherited | _parameters(one), is_default) for one in several]


async def _with_deployment(app: ASGIApp, sent: dict[str, Any]) -> list[Entered]:
    """The defaults and schedules of a deployment that is created, or registered again.

    What it has already is not entered now: a dataset or an option that has become invalid since
    must not keep `charmill serve` from registering it. Nor is the mere name of a dataset, which a
    run or a schedule without other parameters is checked for.
    """
    defaults = _parameters(sent)
    found = [Entered(sent, defaults | _parameters(one)) for one in _mappings(sent.get("schedules"))]
    if defaults.keys() - DATASETS:
        wanted = {
            "deployments": {"name": {"any_": [sent.get("name")]}},
            "flows": {"id": {"any_": [sent.get("flow_id")]}},
        }
        answer = await ask(app, "POST", "/api/deployments/filter", wanted)
        before = answer.json() if answer.is_success else []
        if not any(defaults.items() <= one["parameters"].items() for one in before):
            found.append(Entered(sent, defaults, is_default=True))
    return found


async def _by_automation(app: ASGIApp, sent: dict[str, Any]) -> list[Entered]:
    """The runs that an automation will start; they inherit what it omits."""
    found = []
    for action in _mappings(sent.get("actions")):
        if action.get("type") == "run-deployment" and action.get("deployment_id"):
            known = await read_deployment(app, str(action["deployment_id"]))
            found.append(Entered(known, known.get("parameters", {}) | _parameters(action)))
    return found


async def _of_run(app: ASGIApp, run: Mapping[str, Any]) -> list[Entered]:
    """The parameters of a run, if it has any and belongs to a deployment."""
    if not run.get("deployment_id") or not isinstance(run.get("parameters"), dict):
        return []
    return [Entered(await read_deployment(app, str(run["deployment_id"])), run["parameters"])]


def _parameters(one: Mapping[str, Any]) -> dict[str, Any]:
    values = one.get("parameters")
    return values if isinstance(values, dict) else {}


def _mappings(several: Any) -> list[dict[str, Any]]:
    listed = several if isinstance(several, list) else []
    return [one for one in listed if isinstance(one, dict)]
