import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.progress import LogReporter
from flows.store.leftovers import GONE, REMOTE, leftovers, sweep
from flows.store.runs import SET_ASIDE, WORK, Store
from flows.store.stage import PARAMETERS, Stage, execute
from system.progress import Progress

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=8)


@pytest.fixture
def runs(tmp_path):
    return Store(tmp_path).runs("train", "tiny")


def folder(runs, name: str, days: float = 8) -> Path:
    """A folder with a file in a folder, all last changed `days` ago."""
    path = runs.folder / name
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "checkpoint").write_text("weights")
    age(path, days)
    return path


def age(path: Path, days: float) -> None:
    moment = (NOW - timedelta(days=days)).timestamp()
    for one in (*path.rglob("*"), path):
        os.utime(one, (moment, moment))


def test_only_old_folders_go(runs):
    old = [folder(runs, f"{prefix}{prefix[1]}old") for prefix in (WORK, REMOTE)]
    young = [folder(runs, f"{prefix}{prefix[1]}young", days=6) for prefix in (WORK, REMOTE)]
    assert sweep(runs, NOW) == old
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in young)


def test_one_file_that_was_written_lately_keeps_the_whole_folder(runs):
    work = folder(runs, f"{WORK}a")
    (work / "deep" / "checkpoint").write_text("newer weights")
    os.utime(work / "deep", (0, 0))
    assert not sweep(runs, NOW)
    assert work.exists()


def test_a_folder_whose_lock_is_held_stays(runs):
    work = folder(runs, f"{WORK}a")
    with runs.run("a").lock(lambda: None):
        assert not sweep(runs, NOW)
    assert sweep(runs, NOW) == [work]


def test_a_damaged_run_stays_for_a_week_after_it_was_set_aside(runs):
    damaged = folder(runs, "a", days=300).rename(runs.folder / f"{SET_ASIDE}a")
    assert not sweep(runs, NOW)
    assert list(leftovers(runs, LATER)) == [damaged]
    assert sweep(runs, LATER) == [damaged]


def test_what_a_killed_removal_left_goes_whatever_its_age(runs):
    gone = folder(runs, f"{GONE}a-0000", days=0)
    (runs.folder / f"{GONE}file").write_text("")
    assert sweep(runs, NOW)
    assert not gone.exists()
    assert not [*runs.folder.iterdir()]


def test_finished_runs_and_other_names_are_not_leftovers(runs):
    kept = [folder(runs, name) for name in ("abc", "abc-backup", ".hidden", "work-a")]
    assert not sweep(runs, LATER)
    assert all(path.exists() for path in kept)


def test_a_folder_that_cannot_be_renamed_is_logged_and_the_others_go(runs, monkeypatch, caplog):
    folder(runs, f"{WORK}a")
    second = folder(runs, f"{WORK}b")
    rename = Path.rename

    def refuse(path, target):
        if path.name.endswith("-a"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert sweep(runs, NOW) == [second]
    assert "could not be removed" in caplog.text


def stage(name: str, *, resumable: bool) -> Stage:
    def work(context):
        assert (context.directory / PARAMETERS).read_text() == '{"seed": 0}'
        yield Progress.at(0.5, "half")
        return {}

    return Stage(
        name=name,
        version=1,
        inputs=(),
        parameters=lambda run: {"seed": run.train.seed},
        work=work,
        resumable=resumable,
    )


@pytest.mark.parametrize("name", ["fetch", "train"])
def test_a_stage_that_starts_sweeps_old_folders_but_its_own(tiny, name):
    runs = tiny.store.runs(name, "tiny")
    one = stage(name, resumable=True)
    own = folder(runs, f"{WORK}{one.digest(tiny.run(), {})}", days=90)
    old, young = folder(runs, f"{WORK}old", days=90), folder(runs, f"{WORK}young", days=1)
    broken = folder(runs, f"{REMOTE}old", days=90)
    made = execute(one, tiny.run(), {}, settings=tiny.settings, reporter=LogReporter())
    assert not (old.exists() or broken.exists())
    assert young.exists()
    published = runs.run(made.key).folder
    assert (published / "deep" / "checkpoint").exists(), "resumed in its own folder"
    assert not own.exists()
    assert not (published / PARAMETERS).exists()
