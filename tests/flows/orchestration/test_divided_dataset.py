"""A dataset of many repositories on every runner: the same bytes, although workers are killed."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpora.sources import GithubAccountSource
from flows.stages.fetch import in_parts
from flows.store.runs import Store
from system.pool import ThreadPool
from tests.corpora.build.repositories import dataset_of, make_repositories
from tests.corpora.sources.github.api import ACCOUNT, Fake, Handler, row
from tests.corpora.sources.url.web import serving
from tests.flows.orchestration.test_corpora_flow import lasting, needs
from tests.processes import DEADLINE_SECONDS, descendants, until

NUMBER = 12
WORKERS = {"dask": rb".*spawn_main", "ray": rb"ray::_call"}
"""How the command line of a worker begins."""


@dataclass(frozen=True)
class Many:
    """Many repositories, and the dataset of all."""

    root: Path

    def start(self, artifacts: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `charmill build` with a separate artifacts root."""
        environment = {
            "CHARMILL_ARTIFACTS": str(self.root / artifacts),
            "CHARMILL_DATASETS": str(self.root / "datasets"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "build", "many", *arguments],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def corpus(self, artifacts: str) -> dict[str, bytes]:
        """Every file of the finished corpus; the manifest without times."""
        folder = Store(self.root / artifacts).runs("corpus", "many").last().folder
        return {path.name: lasting(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Many repositories, and their corpus as one worker makes it in `one`."""
    root = tmp_path_factory.mktemp("many")
    (root / "datasets").mkdir()
    made = make_repositories(root, NUMBER)
    (root / "datasets" / "many.toml").write_text(dataset_of(made))
    found = Many(root)
    process = found.start("one", "--workers", "1")
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, errors
    return found


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["threads", needs("dask"), needs("ray")])
def test_every_runner_builds_the_same_bytes(many, runner):
    process = many.start(runner, "--workers", "2", "--runner", runner)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, errors
    assert many.corpus(runner) == many.corpus("one")


@pytest.mark.slow
@pytest.mark.parametrize("runner", [needs("dask"), needs("ray")])
def test_the_part_of_a_killed_worker_is_done_by_another(many, runner):
    artifacts = f"{runner}-killed"
    process = many.start(artifacts, "--workers", "2", "--runner", runner)
    fetched = many.root / artifacts / "fetch" / "many"
    until(lambda: process.poll() is not None or list(fetched.glob(".work-*/r*.git")))
    victim = until(lambda: next(iter(workers(process.pid, WORKERS[runner])), None))
    os.kill(victim, signal.SIGKILL)
    assert process.poll() is None
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, errors
    assert many.corpus(artifacts) == many.corpus("one")


def workers(pid: int, mark: bytes) -> list[int]:
    """The workers of an engine below a process."""
    found = []
    for child in descendants(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if re.match(mark, command, re.DOTALL):
            found.append(child)
    return sorted(found)


def test_one_dead_repository_of_an_account_does_not_stop_the_others(
    tmp_path, make_repository, monkeypatch
):
    alive = make_repository({"a.py": "a = 1\n"}, "alive")
    dying = make_repository({"b.py": "b = 1\n"}, "dying")
    handler = type("Bound", (Handler,), {"fake": Fake([row(alive), row(dying)])})
    with serving(handler) as url:
        monkeypatch.setenv("CHARMILL_GITHUB_API", url)
        source = GithubAccountSource(kind="github_account", account=ACCOUNT)
        resolution = source.resolve()
        dying.rename(tmp_path / "dead")
        directory = tmp_path / "fetch"
        directory.mkdir()
        notes = [p.note for p in in_parts(source, resolution, directory, ThreadPool(2))]
        assert notes == [f"fetched {n} of 2 repositories" for n in (1, 2)]
        list(source.fetch(resolution, directory))
    entries = list(source.open(directory).entries())
    assert [(entry.source, entry.path) for entry in entries] == [("alive", "a.py"), ("dying", ".")]
