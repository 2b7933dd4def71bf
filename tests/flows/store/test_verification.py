"""`charmill verify`, and commands on damaged files: one line names the file."""

import json
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from flows.errors import DamageError, StageError
from flows.options import Options, prepare
from flows.planning.init_from import pinned
from flows.planning.plan import make_plan
from flows.reporting.index import index_row
from flows.store.manifest import MANIFEST, Manifest
from flows.store.stage import INPUTS
from tests.flows.planning.test_plan import make, plan, reasons
from tests.flows.store.conftest import flip


@pytest.fixture
def home(done, monkeypatch):
    for name, value in done.environment().items():
        monkeypatch.setenv(name, value)
    return done


def folder(home, stage):
    return home.store.runs(stage, "tiny").last().folder


def verified(*arguments):
    """The exit status of `charmill verify`, and the outcome and faults of every folder."""
    done = CliRunner().invoke(app, ["verify", *arguments, "--json"])
    rows = json.loads(done.stdout)
    return done.exit_code, {(r["dataset"], r["stage"], r["key"]): r for r in rows}


def outcomes(found):
    return sorted(row["outcome"] for row in found.values())


def test_intact_runs_are_ok(home):
    status, found = verified()
    assert (status, outcomes(found)) == (0, ["ok"] * 5)
    printed = CliRunner().invoke(app, ["verify", "tiny"])
    assert printed.exit_code == 0
    assert printed.stdout.endswith("5 ok\n")


def test_every_damage_is_named_and_hides_no_other(home):
    for dataset in ("first", "last"):
        for stage in ("fetch", "train"):
            shutil.copytree(folder(home, stage), home.store.root / stage / dataset / "aa11")
    flip(folder(home, "train") / "model.safetensors", 999)
    (folder(home, "corpus") / MANIFEST).unlink()
    (folder(home, "sample") / MANIFEST).write_text("{")
    status, found = verified()
    assert status == 2
    damaged = {
        (stage, row["faults"][0].partition(":")[0]): row["advice"]
        for (_, stage, _), row in found.items()
        if row["outcome"] == "damaged"
    }
    assert damaged.keys() == {
        ("train", "model.safetensors"),
        ("corpus", MANIFEST),
        ("sample", MANIFEST),
    }
    assert "charmill run tiny --from train --force" in damaged["train", "model.safetensors"]
    assert outcomes(found).count("ok") == 2
    assert outcomes(found).count("not a run") == 4
    assert verified("first")[0] == 0
    printed = CliRunner().invoke(app, ["verify"])
    assert "model.safetensors: its content has changed" in printed.stdout


@pytest.mark.parametrize("notes", ["{", "[]", "{}"])
def test_explain_passes_over_a_failed_attempt_whose_notes_are_damaged(home, notes):
    corpus = home.store.runs("corpus", "tiny")
    work = corpus.run("bb22").work
    work.mkdir()
    shutil.copy(corpus.last().folder / "ledger.parquet", work)
    (work / INPUTS).write_text(notes)
    record = {"when": "2026-11-28T12:00:00+00:00", "reason": "no space"}
    corpus.failure_record.write_text(json.dumps(record))
    done = CliRunner().invoke(app, ["explain", "tiny", "part3.py"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "decision      kept" in done.stdout


def test_a_link_in_the_place_of_a_run_is_named_and_replaced(home, caplog):
    run = folder(home, "corpus")
    moved = home.store.root / "moved"
    run.rename(moved)
    run.symlink_to(moved)
    status, found = verified("tiny")
    assert (status, found["tiny", "corpus", run.name]["outcome"]) == (2, "not a run")
    assert found["tiny", "corpus", "latest"]["outcome"] == "damaged"
    assert reasons(plan(home))["corpus"] == f"the folder {run.name} is a link"
    make(home, "fetch", "corpus")
    assert run.is_dir()
    assert not run.is_symlink()
    assert f"set aside as .damaged-{run.name}" in caplog.text
    assert (moved / MANIFEST).is_file()
    assert reasons(plan(home))["corpus"].startswith("same input, settings and code")


@pytest.mark.parametrize("target", ["/", "/etc", "nowhere", "latest"])
def test_a_link_to_no_run_is_damage_wherever_it_leads(home, target):
    latest = folder(home, "train").with_name("latest")
    latest.unlink()
    latest.symlink_to(target)
    status, found = verified("tiny")
    assert (status, found["tiny", "train", "latest"]["outcome"]) == (2, "damaged")


def test_runs_that_are_not_the_last_are_verified_too(home):
    make(home, "fetch", "corpus", overrides=("corpus.max_bytes=90000",))
    older = home.store.runs("corpus", "tiny").finished()[0]
    flip(older.folder / "ledger.parquet", 500)
    status, found = verified()
    assert status == 2
    assert "delete its folder" in found["tiny", "corpus", older.key]["advice"]


def test_what_is_old_copied_or_set_aside_is_named_and_no_damage(home):
    train = folder(home, "train")
    replace(Manifest.load(train), files=None).save(train)
    shutil.copytree(train, train.with_name(f"{train.name}-backup"))
    shutil.copytree(train, train.with_name(f"{train.name}-7"))
    shutil.copytree(train, train.with_name(f".damaged-{train.name}"))
    status, found = verified("tiny")
    assert status == 0
    assert outcomes(found) == sorted(["ok"] * 4 + ["no digests", "set aside"] + ["not a run"] * 2)


def test_settings_that_do_not_give_the_key_are_damage(home):
    train = folder(home, "train")
    manifest = Manifest.load(train)
    changed = {**manifest.parameters, "seed": 12345}
    replace(manifest, parameters=changed, files=None).save(train)
    status, found = verified("tiny")
    assert status == 2
    assert "not those of its key" in found["tiny", "train", train.name]["faults"][0]


COMMANDS = {
    "fetch": "charmill run tiny --only fetch --force",
    "train": "charmill run tiny --from train --force",
    "evaluate": "charmill run tiny --from evaluate --force",
}


def run(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def damage_in_status(stage):
    rows = json.loads(run("status", "--json").stdout)["tiny"]
    return {row["stage"]: row["damage"] for row in rows}[stage]


@pytest.mark.parametrize("stage", COMMANDS)
@pytest.mark.parametrize("lost", ["manifest", "folder"])
def test_status_plan_and_verify_agree_on_a_last_run_that_lost_its_manifest(home, stage, lost):
    last = folder(home, stage)
    if lost == "manifest":
        (last / MANIFEST).unlink()
    else:
        shutil.rmtree(last)
    assert COMMANDS[stage] in damage_in_status(stage)
    assert f"{stage} of tiny: " in run("status").stdout
    status, found = verified()
    (damaged,) = [row for row in found.values() if row["outcome"] == "damaged"]
    assert (status, damaged["stage"]) == (2, stage)
    assert COMMANDS[stage] in damaged["advice"]
    why = reasons(plan(home))[stage]
    assert "damaged: manifest.json: No such file" in why or "is damaged or gone" in why
    if stage == "train":
        failed = run("sample", "tiny")
        assert isinstance(failed.exception, DamageError)
        assert COMMANDS[stage] in str(failed.exception)
        with pytest.raises(DamageError, match="make it again with"):
            plan(home, start="sample")
    if stage == "evaluate":
        row = index_row(home.store, "tiny")
        assert (row.state, COMMANDS[stage] in row.notes[0]) == ("failed", True)


def test_status_names_a_file_of_another_size(home):
    (folder(home, "train") / "model.safetensors").write_bytes(b"")
    assert "model.safetensors: has 0 bytes" in damage_in_status("train")
    assert "train/tiny" in run("status").stdout


def test_a_run_copied_from_another_dataset_is_not_taken_for_one_of_this(home):
    toml = home.settings.datasets / "tiny.toml"
    toml.with_name("other.toml").write_text(toml.read_text())
    for stage in ("fetch", "corpus", "train"):
        shutil.copytree(
            folder(home, stage).parent, home.store.root / stage / "other", symlinks=True
        )
    status, found = verified("other")
    assert status == 2
    assert outcomes(found) == ["damaged"] * 3
    faults = {fault for row in found.values() for fault in row["faults"]}
    assert all(" of tiny, " in fault for fault in faults)
    other = make_plan(prepare("other", Options(), [toml.parent]), Options(), home.store)
    for decision in other.decisions[:3]:
        assert decision.action == "run"
        assert "holds another run" in decision.reason
    copied = home.store.runs("train", "other")
    assert [one.key for one in copied.finished()] == []


def test_a_dataset_without_runs_is_refused(home):
    failed = CliRunner().invoke(app, ["verify", "nothing"])
    assert isinstance(failed.exception, StageError)
    assert "known: tiny" in str(failed.exception)


@pytest.mark.parametrize(
    ("stage", "name", "command"),
    [
        ("train", "model.safetensors", ["sample", "tiny"]),
        ("train", "vocabulary.json", ["sample", "tiny"]),
        ("corpus", "ledger.parquet", ["explain", "tiny", "part0.py"]),
        ("evaluate", "report.json", ["report", "tiny"]),
        ("evaluate", "report.html", ["report", "tiny"]),
        ("train", "config.json", ["plan", "tiny", "--set", "train.init_from=tiny"]),
    ],
)
def test_a_command_reads_no_damaged_file(home, stage, name, command):
    flip(folder(home, stage) / name, 400)
    failed = CliRunner().invoke(app, command)
    assert isinstance(failed.exception, DamageError)
    assert f"{name}: its content has changed; make it again with" in str(failed.exception)


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("corpus", "ledger.parquet"),
        ("corpus", "summary.json"),
        ("train", "config.json"),
        ("evaluate", "report.json"),
    ],
)
def test_a_damaged_file_of_an_earlier_version_is_one_line_too(home, stage, name):
    path = folder(home, stage) / name
    replace(Manifest.load(path.parent), files=None).save(path.parent)
    path.write_bytes(b"{\xff")
    commands = {
        "ledger.parquet": ["explain", "tiny", "part0.py"],
        "summary.json": ["plan", "tiny", "--set", "train.seed=9"],
        "config.json": ["plan", "tiny", "--set", "train.init_from=tiny"],
        "report.json": ["report", "tiny"],
    }
    failed = CliRunner().invoke(app, commands[name])
    assert type(failed.exception).__name__ in ("CorpusError", "DamageError")
    assert str(path) in str(failed.exception)


def test_a_model_to_start_from_and_a_frozen_corpus_are_verified(home):
    options = pinned(Options(overrides=("train.init_from=tiny",)), home.store)
    corpus = folder(home, "corpus")
    flip(folder(home, "train") / "model.safetensors", 400)
    with pytest.raises(DamageError, match=r"model.safetensors: its content has changed"):
        make(home, "fetch", "corpus", "train", **options.model_dump(exclude_unset=True))
    flip(corpus / "documents-00000.parquet", 400)
    frozen = (f"corpus.frozen='{corpus.name}'", "corpus.max_bytes=90000")
    with pytest.raises(StageError, match=r"documents-00000.parquet: its content has changed"):
        make(home, "fetch", "corpus", overrides=frozen)


def test_a_corpus_without_its_shard_is_refused_before_any_training(home):
    corpus = folder(home, "corpus")
    replace(Manifest.load(corpus), files=None).save(corpus)
    (corpus / "documents-00000.parquet").unlink()
    with pytest.raises(DamageError, match="its documents have 0 characters and marks to train on"):
        make(home, "fetch", "corpus", "train", overrides=("train.seed=8",))


def test_status_shows_every_dataset_though_one_is_damaged(home):
    (folder(home, "train") / MANIFEST).write_text("{")
    home.store.runs("corpus", "tiny").failure_record.write_text("[]")
    printed = CliRunner().invoke(app, ["status"], env={"COLUMNS": "200"})
    assert printed.exit_code == 0
    assert "train/tiny" in printed.stdout
    assert ".failed: not the record of a failure" in printed.stdout
    data = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["tiny"]
    assert [row["damage"] is None for row in data] == [True, False, False, True, True]
    assert "files" not in data[0]["manifest"]
