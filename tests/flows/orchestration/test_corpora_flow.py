"""The corpora of many repositories in parallel: the same bytes wherever they are built."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.errors import OptionError
from flows.orchestration import task_runners as runners
from flows.orchestration.task_runners import PACKAGES, check_runner
from flows.store.runs import Store
from system.settings import CHECKOUT
from tests.corpora.build.test_corpus import plain
from tests.flows.cli.test_main import refused
from tests.processes import DEADLINE_SECONDS

TOML = """
title = "Functions of {name}"
language = "python"

[source]
kind = "git"

[[source.repositories]]
url = "{root}"

[corpus]
extensions = [".py"]
split = {{ validation = 0.2, test = 0.2 }}
"""
NAMES = ("first", "second", "third")
OF_ITS_TIME = ("seconds", "created", "digest")
"""What differs between two runs that make the same."""
NESTED = """
from distributed import Client, LocalCluster
from system.pool import in_order
from flows.orchestration.task_runners import task_runner

def absolutes(numbers):
    return list(in_order(abs, numbers, workers=2))

if __name__ == "__main__":
    settings = task_runner("dask", 1).cluster_kwargs
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        print(client.submit(absolutes, [-1, -2]).result())
"""


@dataclass(frozen=True)
class Repositories:
    """Three repositories and the folder of their datasets."""

    root: Path

    def build(self, artifacts: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call `charmill build` with a separate artifacts root."""
        environment = {
            "CHARMILL_ARTIFACTS": str(self.root / artifacts),
            "CHARMILL_DATASETS": str(self.root / "datasets"),
        }
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", "build", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )

    def corpora(self, artifacts: str) -> dict[str, bytes]:
        """Every file of the finished corpora; manifests without times."""
        store = Store(self.root / artifacts)
        found = {}
        for name in NAMES:
            folder = store.runs("corpus", name).last().folder
            for path in folder.rglob("*"):
                found[f"{name}/{path.relative_to(folder)}"] = lasting(path)
        return found


def lasting(path: Path) -> bytes:
    if path.name != "manifest.json":
        return path.read_bytes()
    content = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps({k: v for k, v in content.items() if k not in OF_ITS_TIME}).encode()


@pytest.fixture
def repositories(make_repository, tmp_path) -> Repositories:
    (tmp_path / "datasets").mkdir()
    for name in NAMES:
        root = make_repository(plain(40, name), name)
        text = TOML.format(name=name, root=root)
        (tmp_path / "datasets" / f"{name}.toml").write_text(text)
    lost = TOML.format(name="lost", root=tmp_path / "nowhere")
    (tmp_path / "datasets" / "lost.toml").write_text(lost)
    return Repositories(tmp_path)


def needs(runner):
    package = PACKAGES[runner]
    reason = f"needs {package}: pip install 'charmill[{runner}]'"
    return pytest.param(runner, marks=pytest.mark.skipif(not find_spec(package), reason=reason))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["threads", needs("dask"), needs("ray")])
def test_two_workers_build_what_one_builds_and_a_lost_repository_blocks_none(repositories, runner):
    one = repositories.build("one", *NAMES, "--workers", "1")
    assert one.returncode == 0, one.stderr
    expected = repositories.corpora("one")
    assert {"first/ledger.parquet", "third/manifest.json"} <= expected.keys()

    two = repositories.build("two", "lost", *NAMES, "--workers", "2", "--runner", runner)
    assert two.returncode == 2
    assert two.stderr.endswith("\ncharmill: 1 of 4 not built: lost\n")
    assert "corpus of lost: FAILED: " in two.stderr
    assert "nowhere' does not appear to be a git repository" in two.stderr
    assert repositories.corpora("two") == expected
    index = (repositories.root / "two" / "index.html").read_text(encoding="utf-8")
    assert "does not appear to be a git repository" in index


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("prefect_dask"), reason="needs prefect_dask")
def test_a_cluster_that_does_not_answer_is_one_line(repositories, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    done = repositories.build("none", "first", "--runner", "dask", "--cluster", "tcp://127.0.0.1:1")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("charmill: runner dask tcp://127.0.0.1:1: Timed out trying to connect")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("prefect_dask"), reason="needs prefect_dask")
def test_a_worker_of_dask_may_start_the_processes_of_a_large_corpus(tmp_path):
    (tmp_path / "nested.py").write_text(NESTED)
    done = subprocess.run(
        [sys.executable, tmp_path / "nested.py"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PREFECT_HOME": str(tmp_path / "home"), "PYTHONPATH": str(CHECKOUT)},
    )
    assert done.stdout == "[1, 2]\n", done.stderr


def test_a_runner_that_is_not_installed_names_what_to_install(monkeypatch):
    monkeypatch.setattr(runners, "find_spec", lambda _name: None)
    with pytest.raises(OptionError, match=r"runner ray: needs prefect_ray; .*charmill\[ray\]'`"):
        check_runner("ray")
    check_runner("threads")


def test_nothing_starts_for_a_dataset_a_setting_or_a_cluster_that_is_wrong(repositories):
    for arguments, message in (
        (["first", "nosuch"], "no dataset 'nosuch'"),
        (["first", "--set", "corpus.max_byte=3"], "first.toml: corpus.max_byte: Extra inputs"),
        (["first", "--cluster", "tcp://h:1"], "cluster tcp://h:1: needs the runner dask or ray"),
        (["first", "--runner", "spark"], "'spark' is not one of 'threads', 'dask', 'ray'"),
    ):
        assert message in refused(repositories.build("none", *arguments))
    assert not (repositories.root / "none" / ".prefect").exists()
