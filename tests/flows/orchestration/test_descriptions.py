"""What descriptions of deployments link to: only what exists, on our server and on others."""

import re

import pytest

from flows.options import read_dataset
from flows.orchestration import reporter as module
from flows.orchestration.descriptions import described, pipeline_description
from flows.orchestration.reporter import RunReporter
from flows.store.runs import Store
from system.progress import Progress
from system.settings import Settings
from tests.flows.pages.stores import full_store
from tests.hostile import ALL
from tests.system.test_markdown import PARSER

REPORT = "/v2/artifacts/artifact/0123"


@pytest.fixture
def store(tmp_path) -> Store:
    return full_store(Settings(artifacts=tmp_path / "artifacts"))


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.setenv("CHARMILL_PAGES", "1")


@pytest.fixture
def no_pages(monkeypatch):
    monkeypatch.delenv("CHARMILL_PAGES", raising=False)


def links(store: Store, dataset: str, artifacts: dict[str, str]) -> list[str]:
    words = pipeline_description(store, dataset, read_dataset("torch"), artifacts)
    return re.findall(r"\]\(([^)]*)\)", words)


def test_our_server_links_the_report_the_dataset_and_the_index(store, pages):
    assert links(store, "tiny", {}) == ["/charmill/tiny/report/e2", "/charmill/tiny", "/charmill/"]
    assert links(store, "torch", {}) == ["/charmill/torch", "/charmill/"]
    assert described("Does it.", {}) == "Does it.\n\nPages: [all reports](/charmill/)"


def test_another_server_links_the_artifacts_that_exist_by_their_ids(store, no_pages):
    known = {"report-tiny": REPORT, "plan-tiny": "/v2/artifacts/artifact/4567"}
    assert links(store, "tiny", known) == [REPORT, "/v2/artifacts/artifact/4567"]


def test_another_server_without_artifacts_gets_no_link(store, no_pages):
    assert links(store, "tiny", {}) == []
    assert links(store, "torch", {}) == []
    assert described("Does it.", {}) == "Does it."


@pytest.mark.parametrize(
    ("stage", "shown"), [("train", ", [learning curve](/charmill/tiny/training)"), ("corpus", "")]
)
def test_the_bar_of_a_training_links_to_its_learning_curve(pages, stage, shown):
    reporter = RunReporter("tiny")
    reporter.started(stage, "tiny")
    assert reporter._link == shown


@pytest.mark.parametrize("text", ALL)
def test_words_from_outside_are_text_in_the_bar(text, no_pages, monkeypatch):
    descriptions: list[str] = []

    def create(_percent: float, *, key: str, description: str) -> None:
        assert key == "progress-tiny"
        descriptions.append(description)

    monkeypatch.setattr(module, "create_progress_artifact", create)
    monkeypatch.setattr(module, "UPDATE_SECONDS", 0.0)
    reporter = RunReporter("tiny")
    reporter.started("fetch", "tiny")
    reporter.update(Progress(done=1, total=2, unit="files", note=text))
    html = PARSER.render(descriptions[0])
    assert html.startswith("<p>fetch: ")
    assert not re.search("<(?!/?p>)", html)
