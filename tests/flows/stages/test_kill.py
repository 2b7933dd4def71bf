"""kill -9 in any stage: the next run resumes, and publishes what an undisturbed run publishes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.flows.conftest import Tiny
from tests.processes import DEADLINE_SECONDS

pytestmark = pytest.mark.slow  # half a minute each; `tests.faults --short` kills too

SAME_BYTES = {
    "corpus": ("documents-00000.parquet", "ledger.parquet", "vocabulary.json", "summary.json"),
    "train": ("model.safetensors", "vocabulary.json", "config.json"),
    "sample": ("samples.parquet",),
}


def drive(tiny: Tiny, *arguments: str, artifacts: Path) -> subprocess.Popen:
    environment = os.environ | tiny.environment() | {"CHARMILL_ARTIFACTS": str(artifacts)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.flows.driver", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> int:
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode


def findings(artifacts: Path) -> dict:
    report = json.loads((artifacts / "evaluate/tiny/latest/report.json").read_text())
    return {key: report[key] for key in ("verdict", "ladder", "groups", "samples", "funnel")}


def assert_same(one: Path, other: Path) -> None:
    for stage, names in SAME_BYTES.items():
        for name in names:
            paths = [root / stage / "tiny" / "latest" / name for root in (one, other)]
            assert paths[0].read_bytes() == paths[1].read_bytes(), (stage, name)
    curves = [
        pq.read_table(root / "train/tiny/latest/metrics.parquet", columns=["step", "train_bits"])
        for root in (one, other)
    ]
    assert curves[0].equals(curves[1])
    assert findings(one) == findings(other)


@pytest.fixture
def undisturbed(tiny: Tiny, tmp_path: Path) -> Path:
    """Outputs of an undisturbed run."""
    root = tmp_path / "undisturbed"
    assert finish(drive(tiny, artifacts=root)) == 0
    return root


def test_a_kill_in_any_stage_changes_nothing_that_is_published(tiny, undisturbed, tmp_path):
    root = tmp_path / "disturbed"
    kills = [
        ("fetch", 30),
        ("corpus", 1),
        ("corpus", 2),
        ("train", 1),
        ("train", 90),
        ("sample", 2),
    ]
    kills += [("evaluate", 3), ("evaluate", 9)]
    for stage, count in kills:
        process = drive(tiny, stage, str(count), artifacts=root)
        assert finish(process) == -signal.SIGKILL, (stage, count)
        published = root / stage / "tiny"
        assert [p for p in published.iterdir() if not p.name.startswith(".")] == []
    assert finish(drive(tiny, artifacts=root)) == 0
    assert_same(undisturbed, root)
    train = json.loads((root / "train/tiny/latest/manifest.json").read_text())
    assert train["attempts"] == 3


def test_kills_at_random_moments_change_nothing_that_is_published(tiny, undisturbed, tmp_path):
    root, moments = tmp_path / "disturbed", random.Random(11)
    for _ in range(15):
        process = drive(tiny, artifacts=root)
        time.sleep(moments.uniform(0.3, 8))
        process.kill()
        finish(process)
    assert finish(drive(tiny, artifacts=root)) == 0
    assert_same(undisturbed, root)
