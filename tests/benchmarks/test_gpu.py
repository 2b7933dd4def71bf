"""The parts of the GPU benchmark that run without a GPU."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.setting import TINY, Report, Setting, read_texts

ROOT = Path(__file__).parents[2]


def dry_run(folder, *options):
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", *options]
    environment = os.environ | {"CHARMILL_ARTIFACTS": str(folder)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_dry_run_on_the_processor_measures_what_needs_no_gpu_and_says_what_does(tmp_path):
    done = dry_run(tmp_path, "--device", "cpu", "--seconds", "1000")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())
    measured, skipped = {}, {}
    for row in rows:
        kept = skipped if "skipped" in row else measured
        kept.setdefault(row["step"], []).append(row)
    assert {row["skipped"] for kept in skipped.values() for row in kept} == {"needs CUDA"}
    assert set(skipped) == {"tests", "training", "sampling", "pipeline"}
    assert all(row["chars_per_s"] > 0 for row in measured["training"] + measured["sampling"])
    assert len(measured["training"]) == len(measured["sampling"]) == 8
    assert all(row["result"] == "passed" for row in measured["parity"][1:] + measured["resume"])
    assert all("bfloat16" in row["name"] for row in skipped["training"])
    assert len(done.stdout.splitlines()) == len(rows)


def test_without_time_everything_is_skipped_and_that_is_said(tmp_path):
    done = dry_run(tmp_path, "--device", "cpu", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())
    assert not any("chars_per_s" in row for row in rows)
    assert sum("0 s left" in row.get("skipped", "") for row in rows) > 20


def test_a_row_is_in_the_file_as_soon_as_it_is_known_and_a_failed_check_is_remembered(
    tmp_path, capsys
):
    report = Report(tmp_path / "new" / "rows.json", time.monotonic() + 100)
    report.check("parity", "loss", passed=True, relative_error=1e-6)
    report.check("parity", "norm", passed=False, relative_error=0.5)
    report.say("training", "large", chars_per_s=1234567.8)
    rows = json.loads(report.path.read_text())
    assert [row["name"] for row in rows] == ["loss", "norm", "large"]
    assert rows[2]["chars_per_s"] == pytest.approx(1234567.8)
    assert report.failed == ["parity: norm"]
    assert "1,234,568" in capsys.readouterr().out
    assert report.has(50, "sampling", "large")
    assert not report.has(500, "sampling", "large")


def test_a_device_that_is_not_there_is_said_in_one_line(tmp_path):
    done = dry_run(tmp_path, "--device", "cuda:99")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(" here; this machine has: cpu")


def test_a_step_that_breaks_is_a_failed_check_and_the_others_still_run(tmp_path, monkeypatch):
    def broken(setting, report):
        raise RuntimeError("no kernel image")

    done = []
    setting = Setting(
        device=torch.device("cpu"),
        tiny=True,
        sizes=TINY,
        texts=read_texts(tmp_path / "none", TINY),
        corpus=tmp_path / "none",
    )
    monkeypatch.setattr(gpu, "parity", broken)
    for name in ("tests", "kill_and_resume", "training", "sampling", "likelihood"):
        monkeypatch.setattr(gpu, name, lambda *_args, of=name, **_options: done.append(of))
    report = Report(tmp_path / "rows.json", time.monotonic() + 100)
    gpu.measure(setting, report)
    assert report.failed == ["parity: all"]
    assert done == ["tests", "kill_and_resume", "training", "sampling", "likelihood"]
    assert "no kernel image" in report.path.read_text()
