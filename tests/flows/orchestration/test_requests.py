"""What the requests of the UI do on the server of `charmill serve`: nothing is lost, or wrong."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.flows.serving import Serving
from tests.processes import DEADLINE_SECONDS, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A running server."""
    home = Serving(tmp_path_factory.mktemp("asked"))
    home.start()
    yield home
    home.stop()


def test_the_switch_of_a_schedule_keeps_everything_else(serving):
    path = f"deployments/{serving.deployment('pipeline/hadoop')['id']}/schedules"
    mine = {
        "schedule": {"cron": "0 3 * * *"},
        "parameters": {"dataset": "hadoop", "budget": "2h"},
        "max_scheduled_runs": 2,
        "slug": "nightly",
    }
    (made,) = serving.api("POST", path, [mine])
    for active in (False, True):
        serving.api("PATCH", f"{path}/{made['id']}", {"active": active})
        (now,) = serving.api("GET", path)
        changed = {"active": active, "updated": now["updated"]}
        assert now == made | changed
    serving.api("DELETE", f"{path}/{made['id']}")


def test_a_hundred_runs_submitted_at_once_all_arrive(serving):
    user, _, password = serving.login.partition(":")
    path = f"deployments/{serving.deployment('fetch/any-dataset')['id']}/create_flow_run"
    later = {"scheduled_time": "2100-01-01T00:00:00Z"}
    body = {
        "parameters": {"dataset": "tiny"},
        "state": {"type": "SCHEDULED", "state_details": later},
        "tags": ["crowd"],
    }

    def submit(_number: int) -> tuple[int, str]:
        url = f"{serving.ui}/api/{path}"
        answer = httpx.post(url, json=body, auth=(user, password), timeout=DEADLINE_SECONDS)
        return answer.status_code, answer.json().get("id")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(submit, range(100)))
    assert {status for status, _ in answers} == {201}
    crowd = {"flow_runs": {"tags": {"all_": ["crowd"]}}}
    assert serving.api("POST", "flow_runs/count", crowd) == 100
    for _, run in answers:
        serving.api("DELETE", f"flow_runs/{run}")


def test_a_user_mistake_is_refused_before_there_is_a_run(serving):
    path = f"deployments/{serving.deployment('pipeline/tiny')['id']}"
    wrong = {"parameters": {"budget": "soon"}}
    schedule = {"schedule": {"interval": 3600}} | wrong
    for answer in (
        serving.api("POST", f"{path}/create_flow_run", wrong),
        serving.api("POST", f"{path}/schedules", [schedule]),
    ):
        assert "budget" in answer["detail"]
    assert serving.deployment("pipeline/tiny")["schedules"] == []
    nothing_chosen = {"state": {"type": "SCHEDULED"}}
    path = f"deployments/{serving.deployment('fetch/any-dataset')['id']}/create_flow_run"
    assert serving.api("POST", path, nothing_chosen)["detail"].startswith("dataset: choose one")


def test_a_wrong_value_creates_no_deployment_automation_or_what_if(serving):
    what_if = serving.deployment("what-if/any-dataset")
    wrong = {"dataset": "tiny", "changes": ["text.max_line=many"]}
    action = {"type": "run-deployment", "deployment_id": what_if["id"], "parameters": wrong}
    fields = ("flow_id", "entrypoint", "parameter_openapi_schema")
    requests: dict[str, Any] = {
        f"deployments/{what_if['id']}/create_flow_run": {"parameters": wrong},
        "deployments/": {name: what_if[name] for name in fields}
        | {"name": "mine", "parameters": wrong},
        "automations/": {
            "name": "mine",
            "trigger": {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0},
            "actions": [action],
        },
    }
    for path, body in requests.items():
        assert "text.max_line" in serving.api("POST", path, body)["detail"]
    assert serving.api("POST", "automations/count") == 1  # ours
    assert serving.api("GET", "deployments/name/what-if/mine") == {"detail": "Deployment not found"}
    right = wrong | {"changes": ["text.max_line=30"]}
    made = serving.api("POST", "deployments/", requests["deployments/"] | {"parameters": right})
    assert made["parameters"] == right
    serving.api("DELETE", f"deployments/{made['id']}")


def test_a_run_that_is_due_while_its_deployment_changes_is_made(serving):
    flow = serving.deployment("fetch/any-dataset")["flow_id"]
    every = {"schedule": {"interval": 1, "anchor_date": "2025-01-01T00:00:00Z"}, "active": True}
    mine = {"name": "run-by-nobody", "flow_id": flow, "schedules": [every]}
    path = f"deployments/{serving.api('POST', 'deployments/', mine)['id']}"
    until(lambda: runs_of(serving, "run-by-nobody"))
    began = time.time()
    while time.time() - began < 6:
        serving.api("PATCH", path, {"description": f"changed at {time.time()}"})
    ended = time.time()
    starts = [run["expected_start_time"] for run in runs_of(serving, "run-by-nobody")]
    serving.api("DELETE", path)
    made = {round(datetime.fromisoformat(start).timestamp()) for start in starts}
    assert set(range(int(began) + 1, int(ended))) <= made


def runs_of(serving, deployment: str) -> list[dict[str, Any]]:
    body = {"deployments": {"name": {"any_": [deployment]}}}
    return serving.api("POST", "flow_runs/filter", body)
