import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flows.retention import collect as collecting
from flows.store.leftovers import GONE
from flows.store.manifest import Manifest
from flows.store.protection import is_pinned, pin, reserve, unpin
from flows.store.runs import Store
from tests.flows.retention.stores import (
    STAGES,
    begin,
    chain,
    chosen,
    collected,
    everything,
    names,
    publish,
    use,
)
from tests.processes import DEADLINE_SECONDS

GC = """
import sys
from pathlib import Path
from tests.flows.retention.stores import Store, collected
collected(Store(Path(sys.argv[1])), keep_last=1)
"""
KILLED = """
import os, signal
from flows.store import leftovers
from flows.retention import collect
moves = []
rename, rmtree = leftovers.discard, leftovers.shutil.rmtree
def die(*_):
    moves.append(1)
    if len(moves) == {count}:
        os.kill(os.getpid(), signal.SIGKILL)
def discard(folder):
    die()
    rename(folder)
    die()
def remove(folder, **keys):
    next(path for path in folder.rglob("*") if path.is_file()).unlink()
    die()
    rmtree(folder, **keys)
collect.discard, leftovers.shutil.rmtree = discard, remove
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def filled(store: Store) -> Store:
    for number in range(4):
        chain(store, f"{number}", days=200 - number, latest=True)
    return store


def assert_whole(store: Store) -> None:
    """Every finished run is complete, and has all that it was made from."""
    for run in everything(store):
        assert (run.folder / "content").exists()
        for stage, key in run.manifest.inputs.items():
            assert run.runs.store.runs(stage, run.runs.dataset).run(key).is_finished
        if origin := run.manifest.parameters.get("init_from"):
            dataset, _, key = origin.partition("@")
            assert store.runs("train", dataset).run(key).is_finished


def test_what_was_chosen_is_gone_and_nothing_else(store):
    filled(store)
    choice = chosen(store, keep_last=2)
    outcome = collected(store, keep_last=2)
    assert outcome.removed == choice.goes
    assert everything(store) == {one.run for one in choice.kept}
    assert not [*store.root.rglob(f"{GONE}*")]
    assert not [*store.root.glob(".locks/train-*")]
    assert not collected(store, keep_last=2).removed


def test_only_what_was_shown_is_removed(store):
    filled(store)
    shown = chosen(store, keep_last=3)
    outcome = collected(store, keep_last=1, shown=shown)
    assert names(outcome.removed) == names(shown.goes) == {f"0{stage}" for stage in "fctse"}
    assert_whole(store)


def test_a_run_whose_lock_is_held_stays_with_everything_it_was_made_from(store):
    filled(store)
    locked = store.runs("sample", "tiny").run("1s")
    with locked.lock(lambda: None):
        outcome = collected(store, keep_last=1)
    assert names(outcome.in_use) == {"1s", "1t", "1c", "1f"}
    assert locked in everything(store)
    assert_whole(store)


def test_a_run_that_is_reused_or_pinned_while_gc_is_deciding_stays(store, monkeypatch):
    filled(store)
    choose = collecting.choose

    def slow(*arguments, **keys):
        choice = choose(*arguments, **keys)
        assert reserve(store.runs("train", "tiny").run("0t"))
        pin(store.runs("evaluate", "tiny").run("1e"))
        store.runs("fetch", "tiny").run("2f").make_latest()
        return choice

    monkeypatch.setattr(collecting, "choose", slow)
    outcome = collected(store, keep_last=1)
    assert {"0t", "0c", "0f", "1e", "1s", "1t", "1c", "1f", "2f"} == names(outcome.in_use)
    assert_whole(store)


def test_a_run_is_never_reserved_and_removed_at_once(store):
    """Many rounds of a reader that decides to reuse a run while gc removes it."""
    for turn in range(30):
        publish(store, "fetch", f"new{turn}", days=50, latest=True)
        run = publish(store, "fetch", f"old{turn}", days=60)
        found: list[bool] = []
        reader = threading.Thread(target=lambda r=run, f=found: f.append(reserve(r)))
        cleaner = threading.Thread(target=lambda: collected(store, keep_last=1, older_than="40d"))
        for thread in (cleaner, reader) if turn % 2 else (reader, cleaner):
            thread.start()
        for thread in (cleaner, reader):
            thread.join()
        assert found == [run.is_finished], "reserved, and yet it is gone"


def test_a_reserved_run_is_kept_for_a_day(store):
    filled(store)
    run = store.runs("train", "tiny").run("0t")
    assert reserve(run)
    assert abs(run.folder.stat().st_mtime - datetime.now(UTC).timestamp()) < DEADLINE_SECONDS
    assert not reserve(store.runs("train", "tiny").run("never"))


def test_a_pin_can_be_taken_off(store):
    filled(store)
    report = store.runs("evaluate", "tiny").run("0e")
    pin(report)
    assert is_pinned(report)
    collected(store, keep_last=1)
    assert report.is_finished
    unpin(report)
    collected(store, keep_last=1)
    assert not report.is_finished
    assert_whole(store)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 20])
def test_a_killed_gc_leaves_whole_runs_and_the_next_one_finishes(store, count):
    filled(store)
    command = [sys.executable, "-c", KILLED.format(count=count) + GC, str(store.root)]
    done = subprocess.run(command, check=False, timeout=DEADLINE_SECONDS)
    assert done.returncode == -signal.SIGKILL
    assert_whole(store)
    collected(store, keep_last=1)
    assert names(chosen(store).kept) == {f"3{stage}" for stage in "fctse"}
    assert not [*store.root.rglob(f"{GONE}*")]


def test_two_gcs_at_once_both_end_well(store):
    filled(store)
    command = [sys.executable, "-c", GC, str(store.root)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait(DEADLINE_SECONDS) for one in both] == [0, 0]
    assert {run.key for run in everything(store)} == {f"3{stage}" for stage in "fctse"}


def test_a_lock_file_that_is_deleted_is_never_held_twice(store):
    """The lock file of a run is deleted while others wait for it."""
    run, holders, most = store.runs("fetch", "tiny").run("a"), [], []

    def hold() -> None:
        for _ in range(20):
            with run.lock(lambda: None):
                holders.append(1)
                most.append(len(holders))
                holders.pop()

    threads = [threading.Thread(target=hold) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        collecting._remove_locks(store)
    assert max(most) == 1
    assert len(most) == 60


def test_the_locks_of_gc_and_of_devices_stay(store):
    filled(store)
    device = store.lock("training-on-here-cpu")
    device.parent.mkdir(parents=True, exist_ok=True)
    device.touch()
    with FileLock(store.lock("train-tiny-0t")):
        collected(store)
        kept = {path.name for path in device.parent.iterdir()}
    assert kept == {device.name, "gc.lock", "train-tiny-0t.lock"}


def test_a_run_of_another_user_stays_with_what_it_was_made_from(store, monkeypatch, caplog):
    filled(store)
    discard = collecting.discard

    def refuse(folder):
        if folder.name == "1s":
            raise PermissionError(13, "Permission denied", str(folder))
        discard(folder)

    monkeypatch.setattr(collecting, "discard", refuse)
    outcome = collected(store, keep_last=1)
    assert names(outcome.in_use) == {"1s", "1t", "1c", "1f"}
    assert "sample of tiny: 1s was not removed: [Errno 13]" in caplog.text
    assert_whole(store)


def test_a_file_that_cannot_be_deleted_is_named(store, monkeypatch, caplog):
    filled(store)
    monkeypatch.setattr("flows.store.leftovers.shutil.rmtree", lambda *_, **__: None)
    collected(store, keep_last=3)
    assert caplog.text.count("could not be deleted; remove it by hand") >= 5
    assert len(everything(store)) == 15


@st.composite
def histories(draw):
    """Runs of two datasets in random order: age, reuse of earlier runs, pins, models reused."""
    made, steps = {}, []
    for number in range(draw(st.integers(1, 12))):
        dataset = draw(st.sampled_from(["tiny", "other"]))
        inputs, parameters = {}, {}
        first = draw(st.integers(0, len(STAGES) - 1))
        for stage in STAGES[first:]:
            earlier = made.get((STAGES[STAGES.index(stage) - 1], dataset), [])
            if stage != "fetch":
                if not inputs and not earlier:
                    break
                inputs = inputs or {STAGES[STAGES.index(stage) - 1]: draw(st.sampled_from(earlier))}
            models = [f"{d}@{k}" for d in ("tiny", "other") for k in made.get(("train", d), [])]
            if stage == "train" and models and draw(st.booleans()):
                parameters = {"init_from": draw(st.sampled_from(models))}
            key = f"{number:02}{stage[0]}"
            steps.append((stage, key, dataset, dict(inputs), parameters))
            made.setdefault((stage, dataset), []).append(key)
            inputs, parameters = {stage: key}, {}
    assume(steps)
    marks = st.lists(st.integers(0, len(steps) - 1), max_size=4)
    ages = st.lists(st.integers(0, 400), min_size=len(steps), max_size=len(steps))
    return steps, draw(ages), draw(marks), draw(marks), draw(marks)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    histories(),
    st.integers(1, 3),
    st.sampled_from(["0d", "30d", "1y"]),
    st.sampled_from(["", "5kB", "1kB"]),
    st.sampled_from([(), ("tiny",)]),
)
def test_gc_never_removes_what_is_needed(tmp_path_factory, history, last, age, size, datasets):
    steps, ages, pinned, latest, locked = history
    root = tmp_path_factory.mktemp("store")
    store, runs = Store(root), []
    for (stage, key, dataset, inputs, parameters), days in zip(steps, ages, strict=True):
        runs.append(
            publish(
                store, stage, key, days=days, dataset=dataset, inputs=inputs, parameters=parameters
            )
        )
    for run in runs:
        run.make_latest()
    for number in latest:
        runs[number].make_latest()
    for number in pinned:
        pin(runs[number])
    last_runs = {r.latest for d in ("tiny", "other") for r in store.stages(d) if r.latest}
    kept = last_runs | {runs[number] for number in (*pinned, *locked)}
    limits = {"keep_last": last, "older_than": age, "max_size": size, "datasets": datasets}
    with ExitStack() as locks:
        for run in {runs[number] for number in locked}:
            locks.enter_context(run.lock(lambda: None))
        outcome = collected(store, **limits)
    left = everything(store)
    assert kept <= left
    assert_whole(store)
    assert {r.latest for d in ("tiny", "other") for r in store.stages(d) if r.latest} == last_runs
    assert left == set(runs) - {one.run for one in outcome.removed}
    if datasets:
        assert {one.run.runs.dataset for one in outcome.removed} <= set(datasets)
    shutil.rmtree(root)


def test_manifests_are_unchanged(store):
    filled(store)
    before = {run: Path(run.folder / "manifest.json").read_bytes() for run in everything(store)}
    reserve(store.runs("train", "tiny").run("0t"))
    collected(store, keep_last=2)
    for run in everything(store):
        assert (run.folder / "manifest.json").read_bytes() == before[run]
        assert Manifest.load(run.folder).key == run.key


def test_an_unfinished_run_in_progress_keeps_its_inputs(store):
    filled(store)
    work = begin(store, "train", "next", {"corpus": "0c"})
    old = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    for path in (*work.work.iterdir(), work.work):
        os.utime(path, (old, old))
    with work.lock(lambda: None):
        collected(store, keep_last=1)
    assert work.work.exists()
    assert_whole(store)
    assert store.runs("corpus", "tiny").run("0c").is_finished
    # Interrupted long ago: the folder goes first, its inputs next time.
    assert collected(store, keep_last=1).leftovers == (work.work,)
    assert names(collected(store, keep_last=1).removed) == {"0c", "0f"}
    use(store.runs("fetch", "tiny").run("3f"), days=3)
