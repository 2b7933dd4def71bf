"""The runs of a stage: their order, the last one, prefixes of keys, locks."""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from flows.errors import OptionError, StageError
from flows.options import Options
from flows.planning.init_from import pinned
from flows.progress import LogReporter
from flows.stages.table import CORPUS, FETCH
from flows.store.manifest import MANIFEST
from flows.store.runs import MAX_LISTED, StageRuns, Store
from flows.store.stage import execute
from flows.store.status import dataset_state
from tests.flows.finished import finish
from tests.flows.reporting.test_reports import publish


def at(hour: int, offset: str = "+00:00") -> str:
    return f"2026-11-22T{hour:02}:00:00{offset}"


def copied(store: Store, *, follow_links: bool = False) -> Store:
    """A copy of the store as by `cp -r`, with the newest folders first; -L follows links."""
    there = store.root.with_name("copy")
    shutil.copytree(store.root, there, symlinks=not follow_links, copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(there.rglob("*"), key=lambda path: path.name)):
        os.utime(path, (1e9 - number, 1e9 - number), follow_symlinks=False)
    return Store(there)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("CHARMILL_ARTIFACTS", str(tmp_path / "artifacts"))
    return Store(tmp_path / "artifacts")


@pytest.fixture
def runs(store) -> StageRuns:
    """Three runs, the oldest with the greatest key; `latest` points to the second."""
    runs = store.runs("corpus", "tiny")
    finish(runs.run("cc11"), created=at(9))
    finish(runs.run("aa11"), created=at(11, "+02:00").replace("11:00", "11:30"))
    finish(runs.run("aa22"), created=at(10))
    runs.run("aa11").make_latest()
    return runs


def test_runs_are_ordered_by_the_time_in_their_manifest_whatever_a_copy_does(runs):
    assert runs.keys() == ["cc11", "aa11", "aa22"]
    assert copied(runs.store).runs("corpus", "tiny").keys() == ["cc11", "aa11", "aa22"]


def test_forced_runs_of_the_same_second_are_ordered_by_their_number(store):
    runs = store.runs("corpus", "tiny")
    for key in ("aa11-10", "aa11-9", "aa11"):
        finish(runs.run(key), created=at(9))
    assert runs.keys() == ["aa11", "aa11-9", "aa11-10"]
    assert runs.newest("aa11") == runs.run("aa11-10")
    assert runs.next("aa11").key == "aa11-11"
    assert runs.next("bb11").key == "bb11"


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"created": None})])
def test_a_run_with_a_damaged_manifest_is_the_oldest_and_named_when_it_is_read(runs, content):
    (runs.run("aa22").folder / MANIFEST).write_text(content)
    assert runs.keys() == ["aa22", "cc11", "aa11"]
    with pytest.raises(StageError, match=r"aa22/manifest.json: not a manifest"):
        _ = runs.run("aa22").manifest


@pytest.mark.parametrize("created", ["yesterday", ""])
def test_a_run_without_a_readable_time_is_the_oldest(runs, created):
    finish(runs.run("dd11"), created=created)
    assert runs.keys()[0] == "dd11"


def test_a_copy_made_by_hand_is_no_run(runs):
    for name in ("aa22-copy", "aa22.bak", "aa22 (2)"):
        shutil.copytree(runs.run("aa22").folder, runs.folder / name)
    assert runs.keys() == ["cc11", "aa11", "aa22"]
    assert runs.next("aa22").key == "aa22-2"


def test_a_folder_in_place_of_latest_is_set_aside(runs, caplog):
    there = copied(runs.store, follow_links=True).runs("corpus", "tiny")
    assert there.keys() == ["cc11", "aa11", "aa22"]
    assert there.latest is None
    damage = dataset_state(there.store, "tiny")[1].damage
    assert "latest: a folder instead of a link; the next run sets it aside" in (damage or "")
    there.run("aa22").make_latest()
    assert there.latest == there.run("aa22")
    assert (there.folder / ".damaged-latest" / MANIFEST).is_file()
    assert "set aside as .damaged-latest" in caplog.text


@pytest.mark.parametrize("name", ["aa22-backup", "aa22-2", "bb99"])
def test_a_copy_of_a_run_under_another_name_is_no_run(runs, name):
    shutil.copytree(runs.run("aa22").folder, runs.folder / name)
    assert runs.keys() == ["cc11", "aa11", "aa22"]
    newest = runs.newest("aa22")
    assert newest == runs.run("aa22")
    assert runs.newest_folder("aa22") == newest
    assert runs.next("aa22").key == ("aa22-3" if name == "aa22-2" else "aa22-2")


def test_a_run_is_found_by_the_beginning_of_its_key(runs):
    assert runs.find("c").key == "cc11"
    assert runs.find("aa2").key == "aa22"
    finish(runs.run("aa22-2"), created=at(12))
    assert runs.find("aa22").key == "aa22"


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        ("aa", "tiny: 2 runs of corpus .* starts with 'aa'; there are: aa11, aa22$"),
        ("zz", "tiny: no run of corpus .* starts with 'zz'; there are: cc11, aa11, aa22$"),
        ("", "no run of corpus"),
        ("../tiny/aa11", "no run of corpus"),
    ],
)
def test_what_is_ambiguous_or_missing_is_one_line_with_the_keys_that_exist(
    runs, beginning, message
):
    with pytest.raises(StageError, match=message):
        runs.find(beginning)


def test_of_very_many_keys_the_newest_are_named(store):
    runs = store.runs("corpus", "tiny")
    for number in range(MAX_LISTED + 2):
        finish(runs.run(f"a{number:02}"), created=at(number))
    with pytest.raises(StageError, match=r"there are: 2 older, a02, a03, .*, a11$"):
        runs.find("zz")


def test_the_last_is_what_latest_points_to_and_the_one_before_the_newest_other(runs):
    assert [run.key for run in runs.pair()] == ["aa22", "aa11"]
    assert [run.key for run in runs.pair("c")] == ["cc11", "aa11"]
    assert [run.key for run in runs.pair("c", "aa2")] == ["cc11", "aa22"]
    assert [run.key for run in runs.pair(None, "c")] == ["aa22", "cc11"]
    there = copied(runs.store).runs("corpus", "tiny")
    assert [run.key for run in there.pair()] == ["aa22", "aa11"]
    with pytest.raises(StageError, match="needs two runs of corpus to compare"):
        runs.pair("aa11")


@pytest.mark.parametrize(("content", "known"), [("{", "cc11, aa11, aa22"), ("", "aa11, aa22")])
def test_a_run_of_unknown_age_may_be_the_one_before_and_is_named(runs, content, known):
    manifest = runs.run("cc11").folder / MANIFEST
    manifest.write_text(content)
    if not content:
        manifest.unlink()
    for pair in (runs.pair, lambda: runs.pair(None, "aa11")):
        with pytest.raises(StageError, match=rf"cc11 has no readable manifest .*: {known}$"):
            pair()
    assert [run.key for run in runs.pair("aa22")] == ["aa22", "aa11"]


def test_compare_and_report_take_the_same_last_run_before_and_after_a_copy(
    store, tiny, monkeypatch
):
    monkeypatch.setenv("CHARMILL_DATASETS", str(tiny.settings.datasets))
    publish(store, key="cc33", created=at(9))
    publish(store, key="bb22", created=at(10), shift=-0.02)
    publish(store, key="aa11", created=at(11))
    store.runs("evaluate", "tiny").run("bb22").make_latest()
    for root in (store.root, copied(store).root):
        monkeypatch.setenv("CHARMILL_ARTIFACTS", str(root))
        assert "tiny: aa11 -> bb22" in printed("compare", "tiny")
        assert "tiny: cc33 -> bb22" in printed("compare", "tiny", "c")
        assert printed("report", "tiny").endswith("bb22/report.html\n")


def test_diff_and_explain_take_the_same_last_corpus_before_and_after_a_copy(tiny, monkeypatch):
    keys = [corpus_key(tiny), corpus_key(tiny, "corpus.max_bytes=300"), corpus_key(tiny)]
    assert keys[0] == keys[2]
    monkeypatch.setenv("CHARMILL_DATASETS", str(tiny.settings.datasets))
    for root in (tiny.store.root, copied(tiny.store).root):
        monkeypatch.setenv("CHARMILL_ARTIFACTS", str(root))
        assert f"tiny: {keys[1]} -> {keys[0]}" in printed("diff", "tiny")
        assert f"tiny: {keys[0]} -> {keys[1]}" in printed("diff", "tiny", keys[0][:6], keys[1][:6])
        assert json.loads(printed("explain", "tiny", "part0.py", "--json"))[0]["split"]


def test_a_frozen_corpus_is_named_by_the_beginning_of_its_key(tiny):
    first = corpus_key(tiny)
    assert corpus_key(tiny, f"corpus.frozen='{first[:6]}'", "corpus.max_bytes=90000") != first
    with pytest.raises(StageError, match=f"corpus.frozen: tiny: no run .* '0123'.*{first}"):
        corpus_key(tiny, "corpus.frozen='0123'")


def test_a_model_to_start_from_is_named_by_the_beginning_of_its_key(store):
    models = store.runs("train", "tiny")
    for hour, key in enumerate(("aa11", "aa22", "bb11")):
        folder = finish(models.run(key), created=at(hour))
        (folder / "config.json").write_text(json.dumps({"model": {"hidden_size": hour + 8}}))
    models.run("aa22").make_latest()

    def start(wanted: str) -> str:
        return pinned(Options(overrides=(f"train.init_from={wanted}",)), store).overrides[-1]

    assert start("tiny") == "train.init_from=tiny@aa22"
    assert start("tiny@b") == "train.init_from=tiny@bb11"
    with pytest.raises(OptionError, match=r"2 runs of train .* 'aa'; there are: aa11, aa22"):
        start("tiny@aa")
    with pytest.raises(OptionError, match="no run of train"):
        start("tiny@")


def test_a_lock_is_held_once_and_free_after_an_error(store):
    run = store.runs("corpus", "tiny").run("aa11")
    assert not run.is_locked
    assert not store.root.exists()
    with pytest.raises(RuntimeError, match="broken"), run.lock(pytest.fail):
        assert run.is_locked
        with run.lock_if_free() as is_free:
            assert not is_free
        raise RuntimeError("broken")
    assert not run.is_locked
    with run.lock_if_free() as is_free:
        assert is_free


def corpus_key(tiny, *overrides: str) -> str:
    """Fetch `tiny` and build its corpus; returns the key."""
    run, keys = tiny.run(overrides=overrides), {}
    for stage in (FETCH, CORPUS):
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key
    return keys["corpus"]


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout
