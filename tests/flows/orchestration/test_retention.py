"""A dataset from YouTube through the real stages: reuse, quota, 30 days, forgetting."""

import io
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from corpora.corpus.parquet import read_documents
from corpora.document import SPLITS
from corpora.sources.youtube.quota import QuotaError
from flows.cli import main as cli
from flows.options import Options, prepare
from flows.planning.plan import Decision, make_plan
from flows.progress import LogReporter
from flows.stages.corpus import CORPUS
from flows.stages.fetch import FETCH
from flows.store.forget import find_expired, find_item, remove
from flows.store.manifest import Manifest, record_files
from flows.store.runs import Store
from flows.store.stage import INPUTS, execute
from flows.store.status import dataset_state
from system.settings import Settings
from tests.corpora.sources.youtube.run import Collection, hold, source
from tests.corpora.sources.youtube.server import KEY, YoutubeServer, running

SOURCE = source()
TOML = """
title = "Talk"
language = "prose"
[source]
kind = "youtube"
query = "flat earth"
units_per_day = 50
[corpus]
extensions = [".txt"]
near_duplicates = "ignore"
text = { max_line = 0, max_mean_line = 0, min_letters = 0 }
split = { validation = 0.2, test = 0.2 }
"""


@dataclass(frozen=True)
class Talk:
    """The dataset, its server, and what a user does with it."""

    settings: Settings
    server: YoutubeServer
    state: Path
    videos: list[str]

    @property
    def store(self) -> Store:
        return Store(self.settings.artifacts_root)

    def plan(self, **options: str) -> dict[str, Decision]:
        chosen = Options(**options)
        run = prepare("talk", chosen, self.settings.dataset_folders)
        return {d.stage: d for d in make_plan(run, chosen, self.store).decisions}

    def run(self) -> str:
        """Fetch, then build the corpus; returns its key."""
        run = prepare("talk", Options(), self.settings.dataset_folders)
        reporter = LogReporter()
        fetched = execute(FETCH, run, {}, settings=self.settings, reporter=reporter)
        inputs = CORPUS.choose({"fetch": fetched.key})
        return execute(CORPUS, run, inputs, settings=self.settings, reporter=reporter).key

    def texts(self, key: str) -> set[str]:
        folder = self.store.runs("corpus", "talk").run(key).folder
        return {d.path.removesuffix(".txt") for s in SPLITS for d in read_documents(folder, s)}

    def age(self, key: str) -> None:
        """Change the time of a fetch so that its retention ended a minute ago."""
        folder = self.store.runs("fetch", "talk").run(key).folder
        path = folder / "search.json"
        listing = json.loads(path.read_text())
        listing["delete_after"] = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        path.write_text(json.dumps(listing))
        replace(Manifest.load(folder), files=record_files(folder)).save(folder)

    def next_day(self) -> None:
        shutil.rmtree(self.state)


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    datasets, state = tmp_path / "datasets", tmp_path / "state"
    datasets.mkdir()
    (datasets / "talk.toml").write_text(TOML)
    settings = Settings(artifacts=tmp_path / "artifacts", datasets=datasets)
    with running(YoutubeServer()) as server:
        videos = hold(Collection(tmp_path, state, server), *[2] * 30)
        monkeypatch.setenv("CHARMILL_ARTIFACTS", str(settings.artifacts))
        monkeypatch.setenv("CHARMILL_DATASETS", str(datasets))
        monkeypatch.setenv("CHARMILL_YOUTUBE_KEY", KEY)
        monkeypatch.setenv("CHARMILL_YOUTUBE_ENDPOINT", server.url)
        monkeypatch.setenv("CHARMILL_STATE", str(state))
        yield Talk(settings, server, state, videos)


def test_within_the_retention_a_fetch_is_reused_and_nobody_is_asked(talk, monkeypatch):
    key = talk.run()
    requests = len(talk.server.log)
    assert requests == 31
    monkeypatch.delenv("CHARMILL_YOUTUBE_KEY")
    assert talk.run() == key
    assert {d.action for name, d in talk.plan().items() if name in ("fetch", "corpus")} == {"reuse"}
    assert len(talk.server.log) == requests


def test_a_fetch_that_may_be_kept_no_longer_is_fetched_again(talk):
    corpus = talk.run()
    digest = talk.plan()["fetch"].key
    talk.age(digest)
    decision = talk.plan()["fetch"]
    assert (decision.action, decision.key) == ("run", f"{digest}-2")
    assert "past its retention since 20" in decision.reason
    assert "past its retention" in talk.plan(start="corpus")["fetch"].reason
    state = dataset_state(talk.store, "talk")[0].manifest
    assert state is not None
    assert state.key == digest
    talk.server.threads[talk.videos[0]] = "videoNotFound"
    talk.next_day()
    rebuilt = talk.run()
    assert rebuilt != corpus
    assert talk.texts(corpus) - talk.texts(rebuilt) == {talk.videos[0]}
    assert talk.plan()["fetch"].action == talk.plan()["corpus"].action == "reuse"
    found = find_expired(talk.store, "talk", SOURCE, datetime.now(UTC))
    assert [(one.stage, one.key) for one in found] == [("fetch", digest), ("corpus", corpus)]
    remove(talk.store, "talk", SOURCE, found)
    assert talk.store.runs("fetch", "talk").keys() == [f"{digest}-2"]
    assert talk.run() == rebuilt


def test_a_repeated_fetch_resumes_in_its_folder_when_quota_ends(talk):
    talk.run()
    digest = talk.plan()["fetch"].key
    talk.age(digest)
    with pytest.raises(QuotaError, match="50 of 50 units"):
        talk.run()
    assert talk.plan()["fetch"].reason.endswith("resumes an interrupted run")
    talk.next_day()
    talk.run()
    assert talk.store.runs("fetch", "talk").keys() == [digest, f"{digest}-2"]
    assert len(talk.server.log) == 62
    assert not [*talk.store.runs("fetch", "talk").folder.glob(".work-*")]


def test_an_unfinished_run_says_what_it_is_made_from(talk, monkeypatch):
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("corpora.corpus.card.write_card", die)
    with pytest.raises(KeyboardInterrupt):
        talk.run()
    (work,) = talk.store.runs("corpus", "talk").folder.glob(".work-*")
    assert json.loads((work / INPUTS).read_text()) == {"fetch": talk.plan()["fetch"].key}
    found = find_item(talk.store, "talk", SOURCE, talk.videos[0])
    assert ("corpus", work.name) in [(one.stage, one.key) for one in found]


def test_what_was_forgotten_is_in_no_corpus_and_no_later_fetch_asks_for_it(talk):
    gone = talk.videos[3]
    first = talk.run()
    digest = talk.plan()["fetch"].key
    found = find_item(talk.store, "talk", SOURCE, gone, keep_models=True)
    remove(talk.store, "talk", SOURCE, found, item=gone, keep_models=True)
    second = talk.run()
    assert second != first, "models that were kept would be taken for models of this corpus"
    assert talk.texts(second) == {*talk.videos} - {gone}
    assert len(talk.server.log) == 31
    talk.age(f"{digest}-2")
    talk.next_day()
    assert gone not in talk.texts(talk.run())
    asked = [video for video, _ in talk.server.asked("commentThreads")]
    assert (asked.count(gone), asked.count(talk.videos[4])) == (1, 2)


def charmill(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["charmill", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


class Terminal(io.StringIO):
    """A terminal on which the user has typed something."""

    def isatty(self) -> bool:
        return True


def test_the_command_lists_what_it_removes_and_asks_on_a_terminal(talk, monkeypatch, capsys):
    corpus, fetch = talk.run(), talk.plan()["fetch"].key
    command = ("forget", "talk", talk.videos[0])
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert charmill(monkeypatch, *command) == 130
    shown = capsys.readouterr().out.split()
    listed = ["fetch", fetch, "2", "comments", "corpus", corpus, "all", "of", "it"]
    assert shown[:9] == listed
    assert talk.texts(corpus) == {*talk.videos}
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert charmill(monkeypatch, *command) == 0
    assert capsys.readouterr().out.split() == [*listed, "Deleted."]
    assert talk.store.runs("corpus", "talk").keys() == []
    assert charmill(monkeypatch, *command, "--yes") == 0
    assert capsys.readouterr().out == "Nothing to delete.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["talk"], "forget: name a video, or use --expired"),
        (["talk", "v-000000000", "--expired"], "forget: name a video, or use --expired"),
        (["talk", "v-999999999"], "no video 'v-999999999' was fetched; nothing was removed"),
        (["python-stdlib", "--expired"], "its source is of kind 'folder'"),
        (["nosuch", "--expired"], "no dataset 'nosuch'"),
    ],
)
def test_a_users_mistake_is_one_line(talk, monkeypatch, capsys, arguments, message):
    assert charmill(monkeypatch, "forget", *arguments) == 2
    assert message in capsys.readouterr().err


def test_what_is_left_of_the_quota_is_shown(talk, monkeypatch, capsys):
    talk.run()
    assert charmill(monkeypatch, "quota") == 0
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[1:3]] == [
        ["search", "calls", "1", "99"],
        ["units", "30", "9,970"],
    ]
    assert "midnight Pacific time" in shown
    assert charmill(monkeypatch, "quota", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["buckets"]["units"] == {"spent": 30, "left": 9_970, "refused": False}
    assert datetime.fromisoformat(printed["resets"]) > datetime.now(UTC)
    monkeypatch.delenv("CHARMILL_YOUTUBE_KEY")
    assert charmill(monkeypatch, "quota") == 2
    assert "no API key; set CHARMILL_YOUTUBE_KEY" in capsys.readouterr().err
