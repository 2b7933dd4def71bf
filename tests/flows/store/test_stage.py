import errno
import fcntl
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.errors import StageError
from flows.progress import LogReporter
from flows.store.manifest import MANIFEST, Manifest
from flows.store.runs import StageRuns, Store
from flows.store.stage import ATTEMPTS, Stage, execute
from system.progress import Progress
from tests.flows.conftest import Tiny
from tests.flows.finished import finish
from tests.processes import DEADLINE_SECONDS


def write_result(context):
    yield Progress.at(0.5, "half")
    (context.directory / "result.txt").write_text(f"seed {context.run.train.seed}")
    return {"made": True}


def stage_of(work=write_result, **keys):
    settings = {"name": "fetch", "version": 1, "inputs": (), "resumable": False}
    return Stage(parameters=lambda run: {"seed": run.train.seed}, work=work, **(settings | keys))


def made(stage, tiny: Tiny, overrides=(), **keys) -> Manifest:
    return execute(
        stage,
        tiny.run(overrides=tuple(overrides)),
        keys.pop("inputs", {}),
        settings=tiny.settings,
        reporter=keys.pop("reporter", LogReporter()),
        **keys,
    )


def test_a_stage_runs_once_and_is_then_reused(tiny):
    calls = []

    def work(context):
        calls.append(context.output.key)
        yield from write_result(context)
        return {}

    first, second = made(stage_of(work), tiny), made(stage_of(work), tiny)
    assert first == second
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("stage", "overrides", "inputs"),
    [
        (stage_of(), ["train.seed=1"], {}),
        (stage_of(version=2), [], {}),
        (stage_of(), [], {"train": "an0ther"}),
    ],
)
def test_the_key_follows_parameters_code_version_and_inputs(tiny, stage, overrides, inputs):
    finish(tiny.store.runs("train", "tiny").run("an0ther"), files={})
    assert made(stage, tiny, overrides, inputs=inputs).key != made(stage_of(), tiny).key


def test_a_parameter_of_another_stage_does_not_move_the_key(tiny):
    assert made(stage_of(), tiny, ["sample.seed=5"]).key == made(stage_of(), tiny).key


def test_forcing_makes_a_new_run_beside_the_old_one(tiny):
    first, forced = made(stage_of(), tiny), made(stage_of(), tiny, force=True)
    assert forced.key == f"{first.key}-2"
    assert tiny.store.runs("fetch", "tiny").run(first.key).is_finished
    assert tiny.store.runs("fetch", "tiny").last().key == forced.key
    assert made(stage_of(), tiny).key == forced.key
    assert made(stage_of(), tiny, force=True).key == f"{first.key}-3"
    newest = tiny.store.runs("fetch", "tiny").newest(first.key)
    assert newest
    assert newest.key == f"{first.key}-3"


def test_latest_follows_what_was_asked_for_last(tiny):
    first = made(stage_of(), tiny)
    made(stage_of(), tiny, ["train.seed=1"])
    made(stage_of(), tiny)
    assert tiny.store.runs("fetch", "tiny").last().key == first.key


def test_a_failure_publishes_nothing_and_the_next_run_starts_afresh(tiny):
    def broken(context):
        (context.directory / "half.txt").write_text("x")
        yield Progress.at(None, "")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        made(stage_of(broken), tiny)
    assert tiny.store.runs("fetch", "tiny").keys() == []
    key = made(stage_of(), tiny).key
    folder = tiny.store.runs("fetch", "tiny").run(key).folder
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "result.txt"]


@pytest.mark.parametrize("zeros", [False, True], ids=["killed", "after a power cut"])
def test_a_resumable_stage_finds_what_it_left_and_counts_the_attempts(tiny, zeros):
    def work(context):
        left = context.directory / "left.txt"
        yield Progress.at(None, "")
        if not left.exists():
            left.write_text("so far")
            raise RuntimeError("broken")
        return {"found": left.read_text()}

    with pytest.raises(RuntimeError):
        made(stage_of(work, resumable=True), tiny)
    if zeros:
        (attempt,) = tiny.store.runs("fetch", "tiny").unfinished()
        (attempt.work / ATTEMPTS).write_bytes(b"\0")
    manifest = made(stage_of(work, resumable=True), tiny)
    assert manifest.summary == {"found": "so far"}
    assert manifest.attempts == (1 if zeros else 2)


def test_what_killed_runs_of_other_settings_left_is_swept_away(tiny):
    left = tiny.store.runs("fetch", "tiny").run("0123456789abcdef").work
    left.mkdir(parents=True)
    made(stage_of(), tiny)
    assert not left.exists()


def test_a_full_disk_is_one_line_that_says_how_much(tiny):
    def work(context):
        (context.directory / "part").write_bytes(b"x" * 1000)
        yield Progress.at(None, "")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        StageError, match=r"no space left while making fetch of tiny: .* at least 1,0\d\d are"
    ):
        made(stage_of(work), tiny)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EDQUOT, "your disk quota is used up while making fetch of tiny"),
        (errno.EFBIG, "a file grew larger than the file system allows"),
    ],
)
def test_another_limit_is_not_called_a_full_disk(tiny, code, reason):
    def work(_context):
        yield Progress.at(None, "")
        raise OSError(code, os.strerror(code))

    with pytest.raises(StageError, match=reason) as refusal:
        made(stage_of(work), tiny)
    assert "free" not in str(refusal.value)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_line(tiny, monkeypatch, code):
    def refuse(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StageError, match=r"cannot lock files \(.*set CHARMILL_ARTIFACTS to a"):
        made(stage_of(), tiny)


def test_a_disk_that_really_is_full_loses_nothing_that_was_finished(tiny, tmp_path):
    script = (
        "import resource, sys, pytest\n"
        "from pathlib import Path\n"
        "from tests.flows.store import test_stage as t\n"
        "from system.settings import Settings\n"
        "from flows.errors import StageError\n"
        "settings = Settings(artifacts=Path(sys.argv[1]), datasets=Path(sys.argv[2]))\n"
        "tiny = t.Tiny(folder=Path('.'), toml=Path('.'), settings=settings)\n"
        "first = t.made(t.stage_of(), tiny)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "def work(context):\n"
        "    yield t.Progress.at(None, '')\n"
        "    (context.directory / 'big').write_bytes(b'x' * 50_000)\n"
        "    return {}\n"
        "try:\n"
        "    t.made(t.stage_of(work), tiny, ['train.seed=1'])\n"
        "except StageError as error:\n"
        "    print(error)\n"
        "assert t.made(t.stage_of(), tiny) == first\n"
    )
    settings = tiny.settings
    done = subprocess.run(
        [sys.executable, "-c", script, str(settings.artifacts), str(settings.datasets)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "(ulimit -f: 10,000 bytes)" in done.stdout
    assert "free" not in done.stdout


def test_the_manifest_says_what_a_run_was_made_from(tiny):
    finish(tiny.store.runs("corpus", "tiny").run("abc"), files={})
    manifest = made(stage_of(), tiny, inputs={"corpus": "abc"})
    folder = tiny.store.runs("fetch", "tiny").run(manifest.key).folder
    data = json.loads((folder / "manifest.json").read_text())
    assert data["inputs"] == {"corpus": "abc"}
    assert data["parameters"] == {"seed": 0}
    assert data["summary"] == {"made": True}
    assert Manifest.load(folder) == manifest


def work_slowly(context):
    with (context.store.root / "calls").open("a") as calls:
        calls.write("x")
    for _ in range(5):
        yield Progress.at(None, "")
    (context.directory / "result.txt").write_text("x")
    return {}


class Holding(LogReporter):
    """Blocks the work of the first process until the second one waits."""

    def __init__(self, begun, waiting_seen):
        super().__init__()
        self.begun, self.waiting_seen = begun, waiting_seen

    def update(self, update):
        self.begun.set()
        assert self.waiting_seen.wait(DEADLINE_SECONDS)

    def say(self, line):
        assert line.endswith("waiting for another process that is running it")
        self.waiting_seen.set()


def make_in_process(tiny, begun, waiting_seen):
    made(stage_of(work_slowly), tiny, reporter=Holding(begun, waiting_seen))


def test_two_processes_never_make_the_same_key_twice(tiny):
    context = multiprocessing.get_context("spawn")
    begun, waiting_seen = context.Event(), context.Event()
    arguments = (tiny, begun, waiting_seen)
    first = context.Process(target=make_in_process, args=arguments)
    first.start()
    assert begun.wait(DEADLINE_SECONDS)
    second = context.Process(target=make_in_process, args=arguments)
    second.start()
    for process in (first, second):
        process.join(DEADLINE_SECONDS)
        assert process.exitcode == 0
    assert (Store(tiny.settings.artifacts_root).root / "calls").read_text() == "x"


def test_what_another_process_publishes_during_the_choice_is_not_made_twice(tiny, monkeypatch):
    stage, find = stage_of(), StageRuns.newest_folder

    def find_just_before_another_process_publishes(runs, digest):
        found = find(runs, digest)
        monkeypatch.undo()
        made(stage, tiny)
        return found

    monkeypatch.setattr(StageRuns, "newest_folder", find_just_before_another_process_publishes)
    key = made(stage, tiny).key
    assert tiny.store.runs("fetch", "tiny").keys() == [key]


def test_all_that_a_run_changed_is_on_the_disk_in_order(tiny, monkeypatch):
    events = []
    for name in ("fsync", "rename", "replace", "mkdir"):
        monkeypatch.setattr(os, name, _recorded(name, getattr(os, name), events))
    made(stage_of(), tiny)
    runs = tiny.store.runs("fetch", "tiny")
    key, folder = runs.last().key, str(runs.folder)
    parents = [str(tiny.store.root.parent), str(tiny.store.root), str(runs.folder.parent), folder]
    assert {parent for name, parent in events if name == "fsync"} >= set(parents)
    published = events.index(("rename", f"{folder}/.work-{key}"))
    for path in ("result.txt", MANIFEST + ".partial", ""):
        synced = ("fsync", f"{folder}/.work-{key}/{path}".rstrip("/"))
        assert synced in events[:published], path
    assert events[published + 1] == ("fsync", folder)
    linked = max(number for number, (name, _) in enumerate(events) if name == "replace")
    assert events[linked + 1] == ("fsync", folder)


def _recorded(name, call, events):
    """The same call, which also notes its name and path."""

    def noting(target, *arguments, **named):
        path = Path(f"/proc/self/fd/{target}").readlink() if name == "fsync" else target
        events.append((name, os.fspath(path)))
        return call(target, *arguments, **named)

    return noting
