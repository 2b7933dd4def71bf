"""What a user does every day in the UI alone, in a real browser."""

import json
import re
import time

import pytest

from tests.browser.user import (
    add_schedule,
    cancel,
    fill_in,
    open_artifact,
    open_deployment,
    open_run,
    run_with,
)
from tests.processes import alive, descendants, until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(page, served):
    """Start every test at the server that is running now."""
    page.goto(f"{served.ui}/")


def newest_run(served, name):
    body = {"flow_runs": {"name": {"like_": name}}, "sort": "EXPECTED_START_TIME_DESC"}
    return until(lambda: served.api("POST", "flow_runs/filter", body), 60)[0]


def test_a_pipeline_runs_from_the_form_to_a_report_with_its_picture(page, served):
    open_deployment(page, "tiny")
    run_with(page, budget="9kchars", switches=())
    run = newest_run(served, "pipeline tiny: 9kchars")
    assert served.ended(run["id"], 180)["type"] == "COMPLETED"
    open_run(page, served.ui, run["id"])
    page.get_by_text("Completed", exact=True).first.wait_for()
    open_artifact(page, served.ui, "report-tiny")
    picture = page.locator("main img, article img, .prose img, img[src^='data:image']").first
    picture.wait_for()
    until(lambda: picture.evaluate("image => image.naturalWidth"), 20)
    assert "the LSTM needs" in page.inner_text("body")


def test_the_switch_of_a_schedule_keeps_its_parameters(page, served):
    path = f"deployments/{served.deployment('pipeline/tiny')['id']}/schedules"
    mine = {"schedule": {"cron": "0 3 * * *"}, "parameters": {"dataset": "tiny", "budget": "2h"}}
    (made,) = served.api("POST", path, [mine])
    open_deployment(page, "tiny")
    for active in (False, True):
        page.get_by_role("switch", name=re.compile("^toggle ")).click()
        until(lambda: served.api("GET", path)[0]["active"] is active, 60)  # noqa: B023
        assert served.api("GET", path)[0]["parameters"] == mine["parameters"]
    served.api("DELETE", f"{path}/{made['id']}")


def test_a_form_says_what_is_wrong_at_the_field(page):
    open_deployment(page, "tiny")
    fill_in(page, budget="20 seconds")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("budget '20 seconds' is none of the forms").first.wait_for()
    assert "/run" in page.url


def test_a_quick_run_of_a_stage_asks_for_the_dataset(page, served):
    open_deployment(page, "any-dataset", flow="fetch")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Quick run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run").click()
    dialog.get_by_text("'dataset' is a required property").first.wait_for()
    body = {
        "deployments": {"name": {"any_": ["any-dataset"]}},
        "flows": {"name": {"any_": ["fetch"]}},
    }
    assert served.api("POST", "flow_runs/count", body) == 0


def test_the_description_of_a_pipeline_leads_to_its_newest_report(page):
    open_deployment(page, "tiny")
    page.get_by_role("tab", name="Description").click()
    page.get_by_text("the LSTM needs").first.wait_for()
    page.get_by_role("link", name="Newest report").click()
    page.wait_for_url("**/charmill/tiny/report/*")
    page.get_by_role("heading", name="Threats to validity").wait_for()


def test_a_plan_shows_why_and_stops_there(page, served):
    made = len(list((served.artifacts / "corpus" / "tiny").iterdir()))
    open_deployment(page, "tiny")
    run_with(page, overrides=["corpus.max_bytes=194"], switches=["plan_only"])
    run = newest_run(served, "%max_bytes=194, plan only")
    assert served.ended(run["id"])["type"] == "COMPLETED"
    open_artifact(page, served.ui, "plan-tiny")
    page.get_by_text("max_bytes 1000000 -> 194").first.wait_for()
    assert len(list((served.artifacts / "corpus" / "tiny").iterdir())) == made


def test_one_stage_reruns_alone_and_reuses_what_is_before_it(page, served):
    fetched = sorted(path.name for path in (served.artifacts / "fetch" / "tiny").iterdir())
    open_deployment(page, "any-dataset", flow="corpus")
    run_with(page, dataset="tiny", overrides=["corpus.max_bytes=194"], switches=())
    run = newest_run(served, "corpus tiny: corpus.max_bytes=194")
    assert served.ended(run["id"])["type"] == "COMPLETED"
    plan = served.artifacts_of("plan-tiny")[0]["data"]
    assert "| reuse | fetch | reused unchecked" in plan
    assert "| run | corpus | max\\_bytes 1000000 -&gt; 194" in plan
    assert "train" not in plan
    assert sorted(p.name for p in (served.artifacts / "fetch" / "tiny").iterdir()) == fetched
    open_artifact(page, served.ui, "corpus-tiny")
    page.get_by_text("too large").first.wait_for()


def test_a_training_is_cancelled_from_its_page(page, served):
    assert served.process
    before = descendants(served.process.pid)
    open_deployment(page, "any-dataset", flow="train")
    run_with(page, dataset="tiny", budget="10m", switches=["force"])
    run = newest_run(served, "train tiny: 10m, forced")
    until(lambda: any("train of tiny: started" in line for line in served.logs(run["id"])), 90)
    processes = descendants(served.process.pid) - before
    open_run(page, served.ui, run["id"])
    cancel(page)
    until(lambda: not alive(processes), 12)
    assert served.ended(run["id"])["type"] == "CANCELLED"


def test_a_schedule_made_in_the_ui_survives_a_restart_and_fires(page, served):
    open_deployment(page, "tiny")
    add_schedule(page, seconds=20)
    schedules = until(lambda: served.deployment("pipeline/tiny")["schedules"], 30)
    began = time.time()
    served.stop()
    served.start()
    again = served.deployment("pipeline/tiny")["schedules"]
    assert json.dumps(again, sort_keys=True) == json.dumps(schedules, sort_keys=True)

    def fired():
        body = {
            "flow_runs": {"deployment_id": {"any_": [served.deployment("pipeline/tiny")["id"]]}}
        }
        runs = served.api("POST", "flow_runs/filter", body)
        return [r for r in runs if r["auto_scheduled"] and r["state"]["type"] == "COMPLETED"]

    until(fired, 120)
    assert time.time() - began < 240
