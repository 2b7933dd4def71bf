import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from corpora.errors import SourceError
from corpora.sources.youtube.store import Video, outcomes
from flows.errors import StageError
from flows.store.forget import MODELS, find_expired, find_item, forgotten_ids, remove
from flows.store.integrity import list_faults
from flows.store.manifest import Manifest, record_files
from flows.store.runs import Store
from flows.store.stage import INPUTS
from tests.corpora.sources.youtube.run import Collection, hold, source
from tests.corpora.sources.youtube.server import YoutubeServer, running

SOURCE = source()
CHAIN = {"corpus": "fetch", "train": "corpus", "sample": "train", "evaluate": "sample"}


def publish(store: Store, stage: str, key: str, **inputs: str) -> Path:
    folder = store.runs(stage, "talk").run(key).folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "content").write_text("by heart")
    Manifest(
        stage=stage,
        dataset="talk",
        key=key,
        inputs=inputs,
        parameters={},
        version=1,
        summary={},
        seconds=1.0,
        attempts=1,
        created=f"2026-11-{21 if key == 'old' else 22}T12:00:00+00:00",
        software={},
    ).save(folder)
    store.runs(stage, "talk").run(key).make_latest()
    return folder


def begin(store: Store, stage: str, key: str, **inputs: str) -> Path:
    """The work folder of a killed run."""
    folder = store.runs(stage, "talk").run(key).work
    folder.mkdir(parents=True)
    (folder / INPUTS).write_text(json.dumps(inputs))
    return folder


@dataclass(frozen=True)
class Artifacts:
    """Two fetches of `talk`, each with everything derived from it."""

    store: Store
    video: str
    other: str
    silent: str

    def keys(self) -> dict[str, list[str]]:
        return {stage: sorted(self.store.runs(stage, "talk").keys()) for stage in ("fetch", *CHAIN)}

    def fetched(self, key: str) -> Path:
        return self.store.runs("fetch", "talk").run(key).folder

    def forget(self, video: str, **options: bool) -> None:
        found = find_item(self.store, "talk", SOURCE, video, **options)
        remove(self.store, "talk", SOURCE, found, item=video, **options)

    def expire(self, now: datetime, **options: bool) -> None:
        found = find_expired(self.store, "talk", SOURCE, now, **options)
        remove(self.store, "talk", SOURCE, found, **options)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Iterator[tuple[Path, list[str], datetime]]:
    root = tmp_path_factory.mktemp("artifacts")
    store = Store(root / "artifacts")
    old = publish(store, "fetch", "old")
    new = publish(store, "fetch", "new")
    with running(YoutubeServer()) as server:
        collection = Collection(old, root / "state", server)
        names = hold(collection, 3, 2, "commentsDisabled")
        collection.run()
        Collection(new, root / "state", server, now=collection.now + timedelta(days=20)).run()
    for fetch in ("old", "new"):
        for stage, previous in CHAIN.items():
            publish(store, stage, fetch, **{previous: fetch})
    yield root, names, collection.now


@pytest.fixture
def artifacts(filled, tmp_path) -> Artifacts:
    root, names, _ = filled
    shutil.copytree(root / "artifacts", tmp_path / "artifacts", symlinks=True)
    return Artifacts(Store(tmp_path / "artifacts"), *names)


def test_forgetting_a_video_removes_its_comments_and_all_that_was_made_from_them(artifacts):
    found = find_item(artifacts.store, "talk", SOURCE, artifacts.video)
    assert [(one.stage, one.key, one.texts) for one in found[:2]] == [
        ("fetch", "old", 3),
        ("fetch", "new", 3),
    ]
    assert len(found) == 10
    artifacts.forget(artifacts.video)
    assert artifacts.keys() == {"fetch": ["new-2", "old-2"]} | {stage: [] for stage in CHAIN}
    for key in ("new-2", "old-2"):
        folder = artifacts.fetched(key)
        assert Manifest.load(folder).key == key
        kept = {name: (v.outcome, len(v.comments)) for name, v in outcomes(folder).items()}
        assert kept == {
            artifacts.video: ("forgotten", 0),
            artifacts.other: ("ok", 2),
            artifacts.silent: ("disabled", 0),
        }
    assert artifacts.store.runs("fetch", "talk").last().key == "new-2"
    left = [path for path in artifacts.store.root.rglob("*") if path.is_file()]
    assert not [path for path in left if f"on {artifacts.video}".encode() in path.read_bytes()]
    assert not [path for path in left if path.name == "content" and "fetch" not in path.parts]


def test_what_was_made_before_the_video_was_there_is_not_touched(artifacts):
    publish(artifacts.store, "fetch", "another")
    publish(artifacts.store, "corpus", "clean", fetch="another")
    publish(artifacts.store, "train", "clean", corpus="clean")
    artifacts.forget(artifacts.video)
    assert artifacts.keys()["fetch"] == ["another", "new-2", "old-2"]
    assert (artifacts.keys()["corpus"], artifacts.keys()["train"]) == (["clean"], ["clean"])
    assert artifacts.store.runs("train", "talk").last().key == "clean"


def test_the_fetch_that_was_made_or_reused_last_stays_the_last(artifacts):
    artifacts.store.runs("fetch", "talk").run("old").make_latest()
    artifacts.forget(artifacts.video)
    assert artifacts.store.runs("fetch", "talk").last().key == "old-2"


def test_a_video_without_comments_is_forgotten_and_costs_no_model(artifacts):
    before = artifacts.keys()
    artifacts.forget(artifacts.silent)
    assert artifacts.keys() == before
    assert outcomes(artifacts.fetched("new"))[artifacts.silent].outcome == "forgotten"
    assert find_item(artifacts.store, "talk", SOURCE, artifacts.silent) == []


def test_what_is_built_after_forgetting_survives_a_second_call(artifacts):
    artifacts.forget(artifacts.video)
    publish(artifacts.store, "corpus", "rebuilt", fetch="new-2")
    publish(artifacts.store, "train", "rebuilt", corpus="rebuilt")
    unfinished = begin(artifacts.store, "sample", "going", train="rebuilt")
    before = artifacts.keys()
    assert find_item(artifacts.store, "talk", SOURCE, artifacts.video) == []
    artifacts.forget(artifacts.video)
    assert artifacts.keys() == before
    assert unfinished.exists()


def test_models_can_be_kept_and_are_removed_later(artifacts):
    begin(artifacts.store, "train", "going", corpus="new")
    artifacts.forget(artifacts.video, keep_models=True)
    assert artifacts.keys() == {
        "fetch": ["new-2", "old-2"],
        "corpus": [],
        "train": ["new", "old"],
        "sample": ["new", "old"],
        "evaluate": ["new", "old"],
    }
    assert not artifacts.store.runs("train", "talk").run("going").work.exists()
    artifacts.forget(artifacts.video)
    assert artifacts.keys() == {"fetch": ["new-2", "old-2"]} | {stage: [] for stage in CHAIN}


def test_unfinished_runs_on_the_comments_go_too_and_one_that_does_not_say_what_it_is_made_of(
    artifacts,
):
    doomed = [
        begin(artifacts.store, "corpus", "a", fetch="old"),
        begin(artifacts.store, "train", "b", corpus="old"),
        begin(artifacts.store, "train", "c"),
    ]
    (doomed[2] / INPUTS).unlink()
    artifacts.forget(artifacts.video)
    assert not [folder for folder in doomed if folder.exists()]


def test_an_unfinished_fetch_loses_the_comments_and_resumes(artifacts):
    work = artifacts.store.runs("fetch", "talk").run("new-2").work
    shutil.copytree(artifacts.fetched("new"), work)
    (work / "manifest.json").unlink()
    artifacts.forget(artifacts.video)
    moved = artifacts.store.runs("fetch", "talk").run("new-3").work
    assert not work.exists()
    assert Video.load(moved, artifacts.video).outcome == "forgotten"
    assert len(Video.load(moved, artifacts.other).comments) == 2


def test_a_run_at_work_is_not_disturbed_and_nothing_is_removed(artifacts):
    begin(artifacts.store, "train", "busy", corpus="new")
    before = artifacts.keys()
    path = artifacts.store.lock("train-talk-busy")
    path.parent.mkdir(parents=True)
    with FileLock(path), pytest.raises(StageError, match="train is running now"):
        artifacts.forget(artifacts.video)
    assert artifacts.keys() == before
    artifacts.forget(artifacts.video)
    assert artifacts.keys()["train"] == []


def test_a_damaged_fetch_and_all_that_was_set_aside_are_deleted(artifacts):
    runs = artifacts.store.runs("fetch", "talk")
    (runs.run("old").folder / "manifest.json").write_text("{")
    shutil.copytree(runs.run("new").folder, runs.folder / ".damaged-new")
    corpora = artifacts.store.runs("corpus", "talk").folder
    shutil.copytree(corpora / "new", corpora / ".damaged-new")
    artifacts.forget(artifacts.video)
    assert artifacts.keys() == {"fetch": ["new-2"]} | {stage: [] for stage in CHAIN}
    left = [path for path in artifacts.store.root.rglob("*") if path.is_file()]
    assert not [path for path in left if f"on {artifacts.video}".encode() in path.read_bytes()]
    assert not list(artifacts.store.root.rglob(".damaged-*"))


@pytest.mark.parametrize("is_damaged", [False, True])
def test_forgetting_keeps_the_digests_true_and_hides_no_damage(artifacts, is_damaged):
    folder = artifacts.fetched("new")
    replace(Manifest.load(folder), files=record_files(folder)).save(folder)
    if is_damaged:
        (folder / "content").write_text("changed")
    artifacts.forget(artifacts.video)
    found = [str(one) for one in list_faults(artifacts.store.runs("fetch", "talk").run("new-2"))]
    assert any("content: " in one for one in found) == is_damaged
    assert bool(found) == is_damaged


class KilledError(BaseException):
    """Represents kill -9: nothing catches it, nothing is cleaned up."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die just before the change to the disk with this number (from 0)."""
    left = iter(range(1, number + 1))

    def dying(change):
        def step(*arguments, **named):
            if next(left, None) is None:
                raise KilledError
            return change(*arguments, **named)

        return step

    for name in ("rename", "replace", "unlink", "rmdir", "symlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", ["video", "expired"])
def test_killed_at_any_change_the_same_call_finishes(filled, tmp_path, monkeypatch, what, step):
    root, names, began = filled

    def act(artifacts: Artifacts) -> None:
        if what == "video":
            artifacts.forget(artifacts.video)
        else:
            artifacts.expire(began + timedelta(days=30))

    for number in range(0, 200, step):
        folder = tmp_path / str(number)
        shutil.copytree(root / "artifacts", folder, symlinks=True)
        artifacts = Artifacts(Store(folder), *names)
        with monkeypatch.context() as patched:
            kill_at(patched, number)
            is_killed = True
            with suppress(KilledError):
                act(artifacts)
                is_killed = False
        standing = [path.parent for path in folder.glob("*/talk/[!.]*/manifest.json")]
        assert all((one / "content").exists() for one in standing), number
        act(artifacts)
        left = [path for path in folder.rglob("*") if path.is_file()]
        texts = [p for p in left if p.name != "forgotten.json" and b"on v-0" in p.read_bytes()]
        if what == "video":
            assert {path.stem for path in texts} == {artifacts.other}, number
            assert [artifacts.keys()[stage] for stage in CHAIN] == [[]] * 4, number
        else:
            assert artifacts.keys()["fetch"] == ["new"], number
            assert all(path.name != "old" for path in folder.rglob("*")), number
            assert len(artifacts.keys()["evaluate"]) == 1
        assert not [*folder.rglob(".gone-*")]
        if not is_killed:
            break
    assert 10 < number < 199


def test_what_was_kept_too_long_is_deleted_and_what_was_not_is_left(artifacts, filled):
    *_, began = filled
    assert (
        find_expired(artifacts.store, "talk", SOURCE, began + timedelta(days=30, seconds=-1)) == []
    )
    artifacts.expire(began + timedelta(days=30))
    assert artifacts.keys() == {stage: ["new"] for stage in ("fetch", *CHAIN)}
    artifacts.expire(began + timedelta(days=50), keep_models=True)
    assert artifacts.keys() == {"fetch": [], "corpus": []} | {stage: ["new"] for stage in MODELS}
    assert not (artifacts.store.runs("fetch", "talk").folder / "latest").is_symlink()


def test_what_was_forgotten_is_remembered_when_its_fetch_is_gone(artifacts, filled):
    *_, began = filled
    artifacts.forget(artifacts.video)
    artifacts.expire(began + timedelta(days=50))
    assert artifacts.keys()["fetch"] == []
    assert forgotten_ids(artifacts.store.runs("fetch", "talk")) == [artifacts.video]
    assert find_item(artifacts.store, "talk", SOURCE, artifacts.video) == []


def test_a_video_that_was_never_fetched_is_one_clear_line(artifacts):
    with pytest.raises(SourceError, match="no video 'v-999999999' was fetched"):
        find_item(artifacts.store, "talk", SOURCE, "v-999999999")
    with pytest.raises(SourceError, match=r"'\.\./x' is not a video id"):
        find_item(artifacts.store, "talk", SOURCE, "../x")
