import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from flows.errors import StageError
from flows.reporting.artifact_purge import describe, purge_reports
from flows.store.runs import Store

SHOW = """
import os
import sys
from pathlib import Path
from flows.store.runs import Store
from flows.server.prefect_settings import embed
from flows.server.process import start_embedded_server
from system.settings import Settings
embed(Settings())
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from flows.reporting.artifact_purge import describe

@flow
def show():
    for place in sys.argv[1:]:
        text = f"learned by heart, {Path(place).parent.name} " * 2_000
        described = describe("The verdict.", Path(place))
        create_markdown_artifact(key="report-talk", markdown=text, description=described)

home = Store(Settings().artifacts_root).prefect_home
start_embedded_server(home, os.environ["PREFECT_API_URL"])()
show()
"""


def prefect_files(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in store.prefect_home.glob("prefect.db*"))


@pytest.mark.slow
def test_reports_that_are_gone_are_nowhere_in_prefects_database(tmp_path):
    store = Store(tmp_path / "artifacts")
    kept = tmp_path / "kept" / "report.html"
    kept.parent.mkdir()
    kept.write_text("")
    places = [str(tmp_path / name / "report.html") for name in ("gone", "kept", "lost")]
    environment = os.environ | {"CHARMILL_ARTIFACTS": str(store.root)}
    subprocess.run([sys.executable, "-c", SHOW, *places], env=environment, check=True)
    held = prefect_files(store)
    assert all(b"by heart, " + name in held for name in (b"gone", b"kept", b"lost"))
    assert purge_reports(store, "talk") > 3
    held = prefect_files(store)
    assert b"by heart, kept" in held
    assert b"by heart, gone" not in held
    assert b"by heart, lost" not in held
    assert purge_reports(store, "talk") == 0


def test_a_report_that_is_still_there_is_kept_whatever_its_verdict(tmp_path):
    store = Store(tmp_path)
    pages = {name: tmp_path / name / "report.html" for name in ("kept", "gone")}
    pages["kept"].parent.mkdir()
    pages["kept"].write_text("")
    store.prefect_home.mkdir()
    texts = {
        "kept": describe("needs 1.5 bits/character", pages["kept"]),
        "gone": describe("very long " * 100, pages["gone"]),
        "of an earlier version": str(pages["gone"]),
    }
    with closing(sqlite3.connect(store.prefect_home / "prefect.db")) as database:
        for table in ("artifact", "artifact_collection"):
            database.execute(f"CREATE TABLE {table} (id, key, description)")
            rows = [(name, "report-talk", text) for name, text in texts.items()]
            database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        database.execute("CREATE TABLE events (id, payload)")
        database.commit()
        assert purge_reports(store, "talk") == 4
        for table in ("artifact", "artifact_collection"):
            assert database.execute(f"SELECT id FROM {table}").fetchall() == [("kept",)]


def test_without_a_database_there_is_nothing_to_remove(tmp_path):
    assert purge_reports(Store(tmp_path), "talk") == 0


def test_a_database_that_cannot_be_cleaned_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.prefect_home.mkdir()
    with closing(sqlite3.connect(store.prefect_home / "prefect.db")) as database:
        database.execute("CREATE TABLE other (id)")
    with pytest.raises(StageError, match=r"prefect.db: no such table: artifact; delete the artif"):
        purge_reports(store, "talk")
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://x")
    with pytest.raises(StageError, match="delete the artifact 'report-talk' there by hand"):
        purge_reports(store, "talk")
