import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from corpora.errors import SourceError
from corpora.sources.youtube.store import Video, outcomes
from flows.errors import StageError
from flows.store.forget import MODELS, find_expired, find_item, forgotten_ids, remove
from flows.store.manifest import Manifest
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
    """A run that was killed in the middle."""
    folder = store.runs(stage, "talk").run(key).work
    folder.mkdir(parents=True)
    (folder / INPUTS).write_text(json.dumps(inputs))
    return folder


@dataclass(frozen=True)
class Shelves:
    """Two fetches of `talk`, one from before, each with all that was made from it."""

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
    root = tmp_path_factory.mktemp("shelves")
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
def shelves(filled, tmp_path) -> Shelves:
    root, names, _ = filled
    shutil.copytree(root / "artifacts", tmp_path / "artifacts", symlinks=True)
    return Shelves(Store(tmp_path / "artifacts"), *names)


def test_forgetting_a_video_removes_its_comments_and_all_that_was_made_from_them(shelves):
    found = find_item(shelves.store, "talk", SOURCE, shelves.video)
    assert [(one.stage, one.key, one.texts) for one in found[:2]] == [
        ("fetch", "old", 3),
        ("fetch", "new", 3),
    ]
    assert len(found) == 10
    shelves.forget(shelves.video)
    assert shelves.keys() == {"fetch": ["new-2", "old-2"]} | {stage: [] for stage in CHAIN}
    for key in ("new-2", "old-2"):
        folder = shelves.fetched(key)
        assert Manifest.load(folder).key == key
        kept = {name: (v.outcome, len(v.comments)) for name, v in outcomes(folder).items()}
        assert kept == {
            shelves.video: ("forgotten", 0),
            shelves.other: ("ok", 2),
            shelves.silent: ("disabled", 0),
        }
    assert shelves.store.runs("fetch", "talk").last().key == "new-2"
    left = [path for path in shelves.store.root.rglob("*") if path.is_file()]
    assert not [path for path in left if f"on {shelves.video}".encode() in path.read_bytes()]
    assert not [path for path in left if path.name == "content" and "fetch" not in path.parts]


def test_what_was_made_before_the_video_was_there_is_not_touched(shelves):
    publish(shelves.store, "fetch", "another")
    publish(shelves.store, "corpus", "clean", fetch="another")
    publish(shelves.store, "train", "clean", corpus="clean")
    shelves.forget(shelves.video)
    assert shelves.keys()["fetch"] == ["another", "new-2", "old-2"]
    assert (shelves.keys()["corpus"], shelves.keys()["train"]) == (["clean"], ["clean"])
    assert shelves.store.runs("train", "talk").last().key == "clean"


def test_the_fetch_that_was_made_or_reused_last_stays_the_last(shelves):
    shelves.store.runs("fetch", "talk").run("old").make_latest()
    shelves.forget(shelves.video)
    assert shelves.store.runs("fetch", "talk").last().key == "old-2"


def test_a_video_without_comments_is_forgotten_and_costs_no_model(shelves):
    before = shelves.keys()
    shelves.forget(shelves.silent)
    assert shelves.keys() == before
    assert outcomes(shelves.fetched("new"))[shelves.silent].outcome == "forgotten"
    assert find_item(shelves.store, "talk", SOURCE, shelves.silent) == []


def test_what_is_built_after_forgetting_stays_when_it_is_said_again(shelves):
    shelves.forget(shelves.video)
    publish(shelves.store, "corpus", "rebuilt", fetch="new-2")
    publish(shelves.store, "train", "rebuilt", corpus="rebuilt")
    unfinished = begin(shelves.store, "sample", "going", train="rebuilt")
    before = shelves.keys()
    assert find_item(shelves.store, "talk", SOURCE, shelves.video) == []
    shelves.forget(shelves.video)
    assert shelves.keys() == before
    assert unfinished.exists()


def test_models_can_be_kept_and_are_removed_later(shelves):
    begin(shelves.store, "train", "going", corpus="new")
    shelves.forget(shelves.video, keep_models=True)
    assert shelves.keys() == {
        "fetch": ["new-2", "old-2"],
        "corpus": [],
        "train": ["new", "old"],
        "sample": ["new", "old"],
        "evaluate": ["new", "old"],
    }
    assert not shelves.store.runs("train", "talk").run("going").work.exists()
    shelves.forget(shelves.video)
    assert shelves.keys() == {"fetch": ["new-2", "old-2"]} | {stage: [] for stage in CHAIN}


def test_unfinished_runs_on_the_comments_go_too_and_one_that_does_not_say_what_it_is_made_of(
    shelves,
):
    doomed = [
        begin(shelves.store, "corpus", "a", fetch="old"),
        begin(shelves.store, "train", "b", corpus="old"),
        begin(shelves.store, "train", "c"),
    ]
    (doomed[2] / INPUTS).unlink()
    shelves.forget(shelves.video)
    assert not [folder for folder in doomed if folder.exists()]


def test_an_unfinished_fetch_loses_the_comments_and_goes_on(shelves):
    work = shelves.store.runs("fetch", "talk").run("new-2").work
    shutil.copytree(shelves.fetched("new"), work)
    (work / "manifest.json").unlink()
    shelves.forget(shelves.video)
    moved = shelves.store.runs("fetch", "talk").run("new-3").work
    assert not work.exists()
    assert Video.load(moved, shelves.video).outcome == "forgotten"
    assert len(Video.load(moved, shelves.other).comments) == 2


def test_a_run_at_work_is_not_disturbed_and_nothing_is_removed(shelves):
    begin(shelves.store, "train", "busy", corpus="new")
    before = shelves.keys()
    path = shelves.store.lock("train-talk-busy")
    path.parent.mkdir(parents=True)
    with FileLock(path), pytest.raises(StageError, match="train is running now"):
        shelves.forget(shelves.video)
    assert shelves.keys() == before
    shelves.forget(shelves.video)
    assert shelves.keys()["train"] == []


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it, nothing is cleaned up."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die at the change of this number (from 0) to the disk, before it is made."""
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

    def act(shelves: Shelves) -> None:
        if what == "video":
            shelves.forget(shelves.video)
        else:
            shelves.expire(began + timedelta(days=30))

    for number in range(0, 200, step):
        folder = tmp_path / str(number)
        shutil.copytree(root / "artifacts", folder, symlinks=True)
        shelves = Shelves(Store(folder), *names)
        with monkeypatch.context() as patched:
            kill_at(patched, number)
            is_killed = True
            with suppress(KilledError):
                act(shelves)
                is_killed = False
        standing = [path.parent for path in folder.glob("*/talk/[!.]*/manifest.json")]
        assert all((one / "content").exists() for one in standing), number
        act(shelves)
        left = [path for path in folder.rglob("*") if path.is_file()]
        texts = [p for p in left if p.name != "forgotten.json" and b"on v-0" in p.read_bytes()]
        if what == "video":
            assert {path.stem for path in texts} == {shelves.other}, number
            assert [shelves.keys()[stage] for stage in CHAIN] == [[]] * 4, number
        else:
            assert shelves.keys()["fetch"] == ["new"], number
            assert all(path.name != "old" for path in folder.rglob("*")), number
            assert len(shelves.keys()["evaluate"]) == 1
        assert not [*folder.rglob(".gone-*")]
        if not is_killed:
            break
    assert 10 < number < 199


def test_what_was_kept_too_long_is_deleted_and_what_was_not_is_left(shelves, filled):
    *_, began = filled
    assert find_expired(shelves.store, "talk", SOURCE, began + timedelta(days=30, seconds=-1)) == []
    shelves.expire(began + timedelta(days=30))
    assert shelves.keys() == {stage: ["new"] for stage in ("fetch", *CHAIN)}
    shelves.expire(began + timedelta(days=50), keep_models=True)
    assert shelves.keys() == {"fetch": [], "corpus": []} | {stage: ["new"] for stage in MODELS}
    assert not (shelves.store.runs("fetch", "talk").folder / "latest").is_symlink()


def test_what_was_forgotten_is_remembered_when_its_fetch_is_gone(shelves, filled):
    *_, began = filled
    shelves.forget(shelves.video)
    shelves.expire(began + timedelta(days=50))
    assert shelves.keys()["fetch"] == []
    assert forgotten_ids(shelves.store.runs("fetch", "talk")) == [shelves.video]
    assert find_item(shelves.store, "talk", SOURCE, shelves.video) == []


def test_a_video_that_was_never_fetched_is_one_clear_line(shelves):
    with pytest.raises(
        SourceError, match="no video 'v-999999999' was fetched; nothing was removed"
    ):
        find_item(shelves.store, "talk", SOURCE, "v-999999999")
    with pytest.raises(SourceError, match=r"'\.\./x' is not a video id"):
        find_item(shelves.store, "talk", SOURCE, "../x")
