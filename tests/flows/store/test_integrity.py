"""Damage to finished runs: found, named, and made again; nothing is deleted."""

import logging
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from flows.errors import DamageError, StageError
from flows.options import Options
from flows.planning.plan import make_plan
from flows.progress import LogReporter
from flows.stages.table import STAGES as TABLE
from flows.store.integrity import faults, list_faults, verified
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRun
from flows.store.stage import execute
from flows.store.status import dataset_state
from system.files import sha256_of
from tests.flows.conftest import Tiny
from tests.flows.planning.test_plan import actions, make, plan, reasons
from tests.flows.store.conftest import flip

STAGES = ("fetch", "corpus", "train", "sample", "evaluate")


def last(tiny: Tiny, stage) -> StageRun:
    return tiny.store.runs(stage, "tiny").last()


def test_no_flipped_bit_of_a_finished_run_passes(done):
    source = random.Random(3)
    paths = [
        (run, path)
        for run in (last(done, stage) for stage in ("fetch", "corpus", "train"))
        for path in run.folder.iterdir()
        if path.name != MANIFEST
    ]
    assert {path.name for _, path in paths} >= {
        "folder.tar",
        "documents-00000.parquet",
        "model.safetensors",
    }
    for _ in range(200):
        run, path = source.choice(paths)
        bit = source.randrange(8 * path.stat().st_size)
        flip(path, bit)
        with pytest.raises(DamageError, match=rf"{path.name}: its content has changed"):
            verified(run)
        flip(path, bit)
        assert verified(run) == run.folder


def test_no_flipped_bit_of_a_manifest_passes_or_crashes_a_plan(done):
    source = random.Random(4)
    for number in range(200):
        run = last(done, STAGES[number % 4])
        path = run.folder / MANIFEST
        bit = source.randrange(8 * path.stat().st_size)
        flip(path, bit)
        fresh = run.runs.run(run.key)
        try:
            assert list_faults(fresh), bit
            made = plan(done)
            assert next(d for d in made.decisions if d.stage == run.runs.stage).action == "run"
        except StageError as error:
            # One bit makes a 3 of the 2 of its format.
            assert "later version of charmill" in str(error), bit
        flip(path, bit)


@pytest.mark.parametrize("stage", STAGES[:4])
@pytest.mark.parametrize("how", ["deleted", "cut", "grown", "without a manifest"])
def test_a_run_with_a_missing_or_cut_file_is_made_again_and_kept(done, stage, how, caplog):
    run = last(done, stage)
    name = MANIFEST if how == "without a manifest" else _largest(run.folder).name
    damaged = run.folder / name
    if how == "cut":
        os.truncate(damaged, 10)
    elif how == "grown":
        damaged.write_bytes(damaged.read_bytes() + b"\0")
    else:
        damaged.unlink()
    made = plan(done)
    assert reasons(made)[stage].startswith(f"damaged: {name}: ")
    caplog.set_level(logging.WARNING)
    make(done, *STAGES[:4])
    aside = run.folder.with_name(f".damaged-{run.key}")
    assert aside.is_dir()
    assert f"set aside as {aside.name}" in caplog.text
    reused = "fetch:reuse corpus:reuse train:reuse sample:reuse"
    assert actions(plan(done)).startswith(reused)
    assert not list_faults(last(done, stage))
    if stage in ("fetch", "corpus"):
        assert last(done, stage).key == run.key
    else:
        assert last(done, stage).key == f"{run.key}-2"


@pytest.mark.parametrize("stage", ["corpus", "train"])
def test_a_run_in_the_folder_of_another_never_passes_for_it(done, stage):
    mine = last(done, stage)
    make(done, *STAGES[: STAGES.index(stage) + 1], overrides=_changed(stage))
    other = last(done, stage)
    other_digests = {path.name: sha256_of(path) for path in other.folder.iterdir()}
    mine.make_latest()
    mine.folder.rename(mine.runs.folder / "0")
    other.folder.rename(mine.folder)
    with pytest.raises(DamageError, match=rf"is that of {stage} of tiny, {other.key}; make it ag"):
        verified(last(done, stage))
    assert f" is that of {stage} of tiny, {other.key}; make it again" in (
        dataset_state(done.store, "tiny")[STAGES.index(stage)].damage or ""
    )
    assert reasons(plan(done))[stage] == f"the folder {mine.key} holds another run"
    make(done, *STAGES[: STAGES.index(stage) + 1])
    assert last(done, stage).key == (mine.key if stage == "corpus" else f"{mine.key}-2")
    assert not list_faults(last(done, stage))
    kept = mine.folder.with_name(f".damaged-{mine.key}") if stage == "corpus" else mine.folder
    assert {path.name: sha256_of(path) for path in kept.iterdir()} == other_digests


@pytest.mark.parametrize("stage", ["fetch", "corpus", "train"])
def test_the_command_that_the_error_names_makes_it_again(done, stage):
    run = last(done, stage)
    flip(_largest(run.folder), 800)
    extent = "--only" if stage in ("fetch", "corpus") else "--from"
    command = f"`charmill run tiny {extent} {stage} --force` and the options"
    following = STAGES[STAGES.index(stage) + 1]
    with pytest.raises(DamageError, match=command):
        make(done, *STAGES[: STAGES.index(stage) + 1], following, overrides=_changed(following))
    options = {"only": stage} if extent == "--only" else {"start": stage}
    forced = make_plan(done.run(), Options(force=True, **options), done.store)
    decision = next(d for d in forced.decisions if d.stage == stage)
    assert decision.reason.endswith("its content has changed")
    _force(done, stage)
    assert last(done, stage).key == decision.key
    assert not list_faults(last(done, stage))
    assert run.folder.with_name(f".damaged-{run.key}").is_dir()
    assert plan(done).decisions[2].action == "reuse"


def test_a_file_that_does_not_belong_there_is_named_and_costs_nothing(done):
    run = last(done, "train")
    (run.folder / ".DS_Store").write_text("x")
    assert not faults(run)
    (run.folder / "notes.txt").write_text("x")
    for check in (lambda: verified(run), lambda: plan(done)):
        with pytest.raises(DamageError, match=r"notes.txt: is no file of this run; move it else"):
            check()


def test_a_reused_stage_before_the_first_one_must_be_whole(done):
    (last(done, "corpus").folder / "documents-00000.parquet").unlink()
    with pytest.raises(DamageError, match=r"documents-00000.parquet: missing; .*--only corpus"):
        plan(done, start="train")


def test_a_run_of_an_earlier_version_is_reused_and_that_is_reported(done):
    folder = last(done, "train").folder
    replace(Manifest.load(folder), files=None).save(folder)
    assert not list_faults(last(done, "train"))
    assert reasons(plan(done))["train"].endswith("so its files cannot be verified")


def test_an_older_run_is_not_worth_a_command(done):
    run = last(done, "train")
    make(done, *STAGES[:3], overrides=("train.seed=5",))
    (run.folder / "config.json").unlink()
    with pytest.raises(DamageError, match="restore it from a copy, or delete its folder"):
        verified(run)


def _largest(folder: Path) -> Path:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST]
    return max(files, key=lambda path: path.stat().st_size)


def _changed(stage: str) -> tuple[str, ...]:
    """Settings with which a stage has to run."""
    return {
        "corpus": ("corpus.max_bytes=90000",),
        "train": ("train.seed=7",),
        "sample": ("sample.seed=7",),
    }[stage]


def _force(tiny: Tiny, stage: str) -> None:
    one = next(each for each in TABLE if each.name == stage)
    inputs = {name: last(tiny, name).key for name in one.inputs}
    execute(one, tiny.run(), inputs, settings=tiny.settings, reporter=LogReporter(), force=True)
