"""The server that `charmill run` starts for itself: it ends with it, and its loss costs nothing."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import DEADLINE_SECONDS, alive, descendants, until


def servers(pids: set[int]) -> set[int]:
    """The servers among some processes."""

    def command(pid: int) -> str:
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text()
        return ""

    return {pid for pid in pids if "flows.server" in command(pid)}


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_leaves_no_server_behind(tiny, ending):
    command = [sys.executable, "-m", "flows.cli", "run", "tiny", "--budget", "10m"]
    process = subprocess.Popen(
        command, env=os.environ | tiny.environment(), stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("train    started"):
                break
        below = descendants(process.pid)
        assert len(servers(below)) == 1
        process.send_signal(ending)
        process.wait(DEADLINE_SECONDS)
    until(lambda: not alive(below), 120)  # the training takes longer
    assert process.returncode != 0


def started(tiny, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", "tiny", *arguments],
        env=os.environ | tiny.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["fetch", "train"])
def test_a_run_whose_server_is_killed_ends_with_its_verdict(tiny, stage):
    with started(tiny) as process:
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(f"{stage} ") and "started" in line:
                for pid in servers(descendants(process.pid)):
                    os.kill(pid, signal.SIGKILL)
        assert process.stdout
        verdict = process.stdout.read()
    said = "".join(lines)
    assert process.returncode == 0, said
    assert "the LSTM needs" in verdict
    assert said.count("Prefect's server ended; starting it again") == 1
    assert "Traceback" not in said


@pytest.mark.slow
def test_five_first_runs_at_once_all_succeed(tiny):
    runs = [started(tiny, "--only", "fetch", "--force") for _ in range(5)]
    ended = [run.communicate(timeout=DEADLINE_SECONDS)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 5, ended
    assert not [path for path in tiny.store.prefect_home.glob("*.log") if path.stat().st_size]
