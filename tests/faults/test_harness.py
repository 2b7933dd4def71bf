"""The harness itself sees a loss: planted ones, and a disk that forgets what was not synced."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.store.manifest import Manifest
from flows.store.runs import Store
from tests.faults import table
from tests.faults.filesystem import CHANGES
from tests.faults.recording import Frame, Recording
from tests.faults.store import check, check_nothing_left, known_digests
from tests.faults.table import Fault, LostError, Round, Row, UnavailableError

ROOT, WORK, FILE = 1, 2, 3


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one finished corpus of one file."""
    store = Store(tmp_path / "artifacts")
    run = store.runs("corpus", "tiny").run("0" * 16)
    run.folder.mkdir(parents=True)
    (run.folder / "documents").write_text("text")
    values = {name: {} for name in ("inputs", "parameters", "summary", "software")}
    manifest = Manifest(
        stage="corpus",
        dataset="tiny",
        key=run.key,
        version=1,
        seconds=1.0,
        attempts=1,
        created="2026-01-01T00:00:00+00:00",
        **values,
    )
    manifest.save(run.folder)
    run.make_latest()
    return store


def corpus(store: Store) -> Path:
    return store.runs("corpus", "tiny").last().folder


DAMAGE = {
    "has changed": lambda folder: (folder / "documents").write_text("texT"),
    "is gone": lambda folder: (folder / "manifest.json").unlink(),
    "is not finished": lambda folder: folder.with_name("1" * 16).mkdir(),
    "does not point": lambda folder: (
        folder.with_name("latest").unlink() or folder.with_name("latest").symlink_to("1" * 16)
    ),
}


@pytest.mark.parametrize("words", DAMAGE)
def test_every_kind_of_damage_to_a_store_is_a_loss(store, words):
    known = known_digests(store, "tiny")
    check(store, "tiny", known)
    DAMAGE[words](corpus(store))
    with pytest.raises(LostError, match=words):
        check(store, "tiny", known)


@pytest.mark.parametrize("name", [".work-1", ".latest-77"])
def test_what_a_stage_leaves_is_a_loss(store, tmp_path, name):
    (tmp_path / "tmp").mkdir()
    check_nothing_left(store, "tiny", tmp_path / "tmp")
    (corpus(store).parent / name).mkdir()
    with pytest.raises(LostError, match="left over"):
        check_nothing_left(store, "tiny", tmp_path / "tmp")


def disks(recording: Recording, folder: Path) -> set[str]:
    """All that power cuts after the last frame leave, as "path=content" lines."""
    found = set()
    for seed in range(60):
        place = folder / str(seed)
        recording.crash(len(recording.frames) - 1, random.Random(seed), place)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        found.add("\n".join(f"{path.relative_to(place)}={path.read_text()}" for path in files))
    return found


def frames(*synced: int) -> list[Frame]:
    """A file is written in a folder, which is renamed; then these are synced."""
    inside = {"file": ("file", FILE)}
    before = {ROOT: {".work": ("folder", WORK)}, WORK: inside}
    after = {ROOT: {"key": ("folder", WORK)}, WORK: inside}
    start = Frame(folders={ROOT: {}}, files={})
    written = [Frame(folders=before, files={FILE: b"ab"}, synced=one) for one in (None, *synced)]
    return [start, *written, Frame(folders=after, files={FILE: b"ab"})]


def test_a_rename_may_reach_the_disk_before_the_content_that_was_not_synced(tmp_path):
    found = disks(Recording(root=ROOT, frames=frames()), tmp_path)
    assert {"", "key/file=", "key/file=ab"} <= found


def test_what_was_synced_before_a_rename_is_whole_under_either_name(tmp_path):
    found = disks(Recording(root=ROOT, frames=frames(FILE, WORK, ROOT)), tmp_path)
    assert found == {".work/file=ab", "key/file=ab"}


def _lose(_random: random.Random) -> None:
    raise LostError("planted")


def _hang(_random: random.Random) -> None:
    time.sleep(60)


def _cannot(_random: random.Random) -> None:
    raise UnavailableError("no such machine")


@pytest.mark.parametrize(
    ("run", "loss", "skipped"),
    [(_lose, "planted", ""), (_hang, "hung", ""), (_cannot, "", "no such"), (len, "TypeError", "")],
)
def test_a_round_that_loses_hangs_or_breaks_is_lost(monkeypatch, run, loss, skipped):
    fault = Fault(name="one", rounds=1, short_rounds=1, run=run, seconds=1)
    monkeypatch.setattr(table, "_faults", lambda _group: [fault])
    handler = signal.getsignal(signal.SIGALRM)
    try:
        ended = table._run("kills", "one", 0)
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert loss in (ended.loss or "")
    assert skipped in (ended.skipped or "")
    assert bool(ended.loss) == bool(loss)
    row = Row(group="kills", fault=fault, wanted=1, rounds=[ended])
    assert row.cells()[3] == "0"


def test_a_recorded_run_continues_with_the_rounds_that_it_lacks_or_lost(tmp_path):
    record = tmp_path / "record"
    for seed, loss in ((3, None), (4, "planted"), (9, None)):
        table.note(Round(fault="one", seed=seed, made=7, loss=loss), record)
    row = Row(group="kills", fault=Fault(name="one", rounds=3, short_rounds=0, run=_lose), wanted=3)
    table.recall([row], record, 3)
    table.recall([row], tmp_path / "absent", 3)
    assert [(one.seed, one.made) for one in row.rounds] == [(3, 7)]


def test_every_change_that_the_stages_make_is_an_audit_event_of_this_python(tmp_path):
    """`os.rename` also announces `os.replace`; without it no kill would meet a publication."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "sys.addaudithook(lambda event, _: print(event))\n"
        "os.mkdir('a'); os.replace('a', 'b'); os.symlink('b', 'c'); os.unlink('c')\n"
        "os.rmdir('b'); open('d', 'w').close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    seen = set(done.stdout.split())
    assert {"os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "open"} <= seen
    assert seen >= CHANGES - {"os.link", "os.truncate", "os.chmod"}
