"""`charmill serve` on PostgreSQL: a pipeline from the form to the report."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.serving import Serving, free_port
from tests.processes import until


def programs() -> Path | None:
    """Folder of the newest PostgreSQL as Debian installs it, or of the one on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    plain = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(plain).parent if plain else None


def owner() -> dict[str, Any]:
    """The user to run it as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("root, and there is no user postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@pytest.fixture
def database() -> Iterator[str]:
    """A new PostgreSQL database; its URL in the form that Prefect expects."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    account, port = owner(), free_port()
    with tempfile.TemporaryDirectory(prefix="charmill-postgres-") as home:
        if account:
            os.chown(home, account["user"], account["group"])
        data, common = f"{home}/data", {"cwd": home, **account}
        made = ["-D", data, "-U", "prefect", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([folder / "initdb", *made], stdout=subprocess.DEVNULL, check=True, **common)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {home} -F"
        control = [folder / "pg_ctl", "-D", data, "-w"]
        subprocess.run(
            [*control, "-l", f"{home}/log", "-o", options, "start"], check=True, **common
        )
        try:
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **common)


@pytest.mark.slow
def test_a_pipeline_runs_on_postgresql_from_the_form_to_the_report(database, tmp_path):
    address = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database}
    serving = Serving(tmp_path / "served", environment=address)
    serving.start()
    try:
        state = serving.ended(serving.run("pipeline/tiny"))
        assert state["type"] == "COMPLETED", state["message"]
        (report,) = until(lambda: serving.artifacts_of("report-tiny"))
        assert "the LSTM needs" in report["description"]
        assert (serving.artifacts / "index.html").is_file()
    finally:
        serving.stop()
    assert not (serving.artifacts / ".prefect" / "prefect.db").exists()
