"""All pipelines with one form, and a poll that starts those whose source has moved."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from flows.orchestration.sweeps.poll import ask
from flows.orchestration.sweeps.starting import chosen
from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from tests.flows.serving import Serving
from tests.processes import until


def fetched(tiny):
    (fetch,) = (stage for stage in STAGES if stage.name == "fetch")
    execute(fetch, tiny.run(), {}, settings=tiny.settings, reporter=LogReporter())


def test_a_source_has_moved_if_it_differs_from_the_last_fetch(tiny):
    fetched(tiny)
    assert ask("tiny", tiny.settings, named=False).words == "unchanged"
    (tiny.folder / "new.py").write_text("def late(): pass\n")
    answer = ask("tiny", tiny.settings, named=False)
    assert answer.moved
    assert answer.words.startswith("started: ")


def test_only_a_dataset_that_is_named_is_fetched_for_the_first_time(tiny):
    assert not ask("tiny", tiny.settings, named=False).moved
    assert ask("tiny", tiny.settings, named=True).moved


def test_a_source_that_does_not_answer_is_a_line(tiny):
    fetched(tiny)
    tiny.folder.rename(tiny.folder.with_name("gone"))
    answer = ask("tiny", tiny.settings, named=False)
    assert not answer.moved
    assert answer.words.startswith("not known: ")
    assert str(tiny.folder) in answer.words


def test_an_unknown_dataset_is_a_line(tiny):
    assert ask("nobody", tiny.settings, named=True).words.startswith("not known: ")


def test_datasets_are_taken_once_each_and_all_if_none_is_named(tiny, monkeypatch):
    for name, value in tiny.environment().items():
        monkeypatch.setenv(name, value)
    assert chosen(["b", "a", "b"]) == ["b", "a"]
    assert {"tiny", "torch"} <= set(chosen([]))


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    home = Serving(tmp_path_factory.mktemp("sweeps"))
    home.add_dataset("second")
    home.add_dataset("third")
    text = (home.root / "datasets" / "tiny.toml").read_text()
    wrong = text.replace(str(home.root / "code"), str(home.root / "nowhere"))
    (home.root / "datasets" / "gone.toml").write_text(wrong)
    home.start()
    yield home
    home.stop()


def pipelines_of(serving, dataset):
    body = {"flow_runs": {"name": {"like_": f"pipeline {dataset}"}}}
    return serving.api("POST", "flow_runs/filter", body)


def rows(serving, key):
    """The newest table of an artifact, by dataset."""
    lines = serving.artifacts_of(key)[0]["data"].splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return {row[0]: row[1:] for row in cells[2:]}


@pytest.mark.slow
def test_one_form_runs_all_pipelines_and_a_poll_those_that_have_moved(serving):
    asked = {"datasets": ["tiny", "gone", "second"], "budget": "3kchars"}
    run = serving.run("pipelines/all-datasets", **asked)
    ended = serving.ended(run)
    assert ended["type"] == "FAILED", ended
    assert "1 of 3 without result: gone" in ended["message"]
    table = rows(serving, "pipelines")
    assert list(table) == ["tiny", "gone", "second"]
    assert "nowhere" in table["gone"][0]
    for dataset in ("tiny", "second"):
        (one,) = pipelines_of(serving, dataset)
        assert one["state"]["type"] == "COMPLETED"
        assert f"(/v2/runs/flow-run/{one['id']})" in table[dataset][1]
        assert "bits" in table[dataset][0]

    assert serving.ended(serving.run("poll/all-datasets"))["type"] == "COMPLETED"
    table = rows(serving, "poll")
    assert table["tiny"][0] == table["second"][0] == "unchanged"
    assert table["torch"][0].startswith("never fetched")
    assert table["gone"][0].startswith("never fetched")
    assert len(pipelines_of(serving, "tiny")) == 1

    (serving.root / "code" / "more.py").write_text("def more(a, b):\n    return a + b\n")
    poll = serving.run("poll/all-datasets", datasets=["tiny", "gone"])
    assert serving.ended(poll)["type"] == "COMPLETED"
    table = rows(serving, "poll")
    assert table["tiny"][0].startswith("started: ")
    assert table["gone"][0].startswith("not known: ")
    until(lambda: len(pipelines_of(serving, "tiny")) == 2)
    assert len(pipelines_of(serving, "second")) == 1
    newest = max(pipelines_of(serving, "tiny"), key=lambda one: one["created"])
    assert serving.ended(newest["id"])["type"] == "COMPLETED"


class Inbox(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    received: ClassVar[list[dict]] = []

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.received.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def webhook():
    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()


def notification_block(serving, url):
    """Make the block that the UI makes under Blocks, Custom Webhook."""
    kind = serving.api("GET", "block_types/slug/custom-webhook")["id"]
    asked = {"block_schemas": {"block_type_id": {"any_": [kind]}}}
    schema = serving.api("POST", "block_schemas/filter", asked)[0]["id"]
    message = {"subject": "{{subject}}", "body": "{{body}}"}
    block = {
        "name": "inbox",
        "block_type_id": kind,
        "block_schema_id": schema,
        "data": {"name": "inbox", "url": url, "json_data": message},
    }
    return serving.api("POST", "block_documents/", block)["id"]


@pytest.mark.slow
def test_an_automation_forwards_a_verdict_to_a_webhook(serving, webhook):
    automation = {
        "name": "verdicts",
        "trigger": {
            "type": "event",
            "posture": "Reactive",
            "expect": [f"charmill.report.{outcome}" for outcome in ("first", "worse")],
            "match": {"prefect.resource.id": "charmill.dataset.*"},
            "threshold": 1,
            "within": 0,
        },
        "actions": [
            {
                "type": "send-notification",
                "block_document_id": notification_block(serving, webhook),
                "subject": "{{ event.resource.name }}: {{ event.event }}",
                "body": "{{ event.payload.verdict }}",
            }
        ],
    }
    assert "id" in serving.api("POST", "automations/", automation)
    run = serving.run("pipeline/third", dataset="third", budget="3kchars")
    assert serving.ended(run)["type"] == "COMPLETED"
    (sent,) = until(lambda: Inbox.received)
    assert sent["subject"] == "third: charmill.report.first"
    assert "bits" in sent["body"]
