"""The server that `charmill run` starts for itself ends with it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import DEADLINE_SECONDS, alive, descendants, until


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
        servers = [pid for pid in below if "uvicorn" in Path(f"/proc/{pid}/cmdline").read_text()]
        assert len(servers) == 1
        process.send_signal(ending)
        process.wait(DEADLINE_SECONDS)
    until(lambda: not alive(below), 120)  # the training takes longer
    assert process.returncode != 0
