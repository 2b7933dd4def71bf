"""The server that `charmill run` starts for itself: it ends with it, and its loss costs nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from flows.server.child import last_exception
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


def damage(database: Path, name: str) -> None:
    """Overwrite every page with which a table or index of a table begins."""
    with closing(sqlite3.connect(database)) as connection:
        query = "select rootpage from sqlite_master where tbl_name = ?"
        pages = [page for (page,) in connection.execute(query, (name,)) if page]
        (page_bytes,) = connection.execute("pragma page_size").fetchone()
    with database.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_bytes)
            file.write(b"\xff" * page_bytes)


@pytest.mark.slow  # three starts of the server
def test_a_damaged_database_of_prefect_is_one_line_with_the_reason(tiny):
    def run():
        process = started(tiny, "--only", "fetch", "--force")
        return process.communicate(timeout=DEADLINE_SECONDS)[1], process.returncode

    errors, status = run()
    assert status == 0, errors
    database = tiny.store.prefect_home / "prefect.db"
    damage(database, "flow_run")
    errors, status = run()
    assert status == 2, errors
    assert "prefect.db: Prefect's database fails (sqlite3.DatabaseError)" in errors
    assert "Traceback" not in errors
    database.write_bytes(b"no database" * 1000)
    errors, status = run()
    assert status == 2, errors
    assert "did not start at http" in errors
    assert "(sqlite3.DatabaseError) file is not a database); its log: " in errors


def test_the_last_exception_of_a_log_is_found_in_one_line(tmp_path):
    log = tmp_path / "server.log"
    assert last_exception(log) == ""
    log.write_text("INFO: ValueError is no exception here\n")
    assert last_exception(log) == ""
    traceback = "Traceback (most recent call last):\n  File x\n"
    log.write_text(
        f"{traceback}OSError: first\n\n{traceback}a.b.CommandError: second\n\nExiting.\n"
    )
    assert last_exception(log) == "a.b.CommandError: second"
