import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from flows.errors import StageError
from flows.reporting.history import count_old_runs, delete_old_runs
from flows.store.runs import Store

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=90)
TABLES = """
CREATE TABLE flow_run (id PRIMARY KEY, state_type, end_time);
CREATE TABLE task_run (id, flow_run_id REFERENCES flow_run (id) ON DELETE CASCADE);
CREATE TABLE log (id, flow_run_id, timestamp, message);
CREATE TABLE artifact (id, flow_run_id, created);
CREATE TABLE artifact_collection (key, latest_id, flow_run_id);
"""
"""The parts of Prefect's tables that are used here, as Prefect 3.8 and 3.9 declare them."""


def opened(store: Store):
    return closing(sqlite3.connect(store.prefect_home / "prefect.db"))


def stored(days: float) -> str:
    return f"{(NOW - timedelta(days=days)).replace(tzinfo=None)}.000000"


@pytest.fixture
def store(tmp_path):
    """Runs that ended 100, 99, ... days ago; each wrote a log line and the artifact "report"."""
    store = Store(tmp_path)
    store.prefect_home.mkdir()
    with opened(store) as database:
        database.executescript(TABLES)
        for days in range(100, 80, -1):
            add(database, f"run{days}", days)
        database.execute("INSERT INTO artifact_collection VALUES ('report', 'run81', 'run81')")
        database.commit()
    return store


def add(database, name: str, days: float, state: str = "COMPLETED") -> None:
    database.execute("INSERT INTO flow_run VALUES (?, ?, ?)", (name, state, stored(days)))
    database.execute("INSERT INTO task_run VALUES (?, ?)", (name, name))
    row = (name, name, stored(days), "x" * 10_000)
    database.execute("INSERT INTO log VALUES (?, ?, ?, ?)", row)
    database.execute("INSERT INTO artifact VALUES (?, ?, ?)", row[:3])


def ids(store: Store, table: str) -> set[str]:
    with opened(store) as database:
        return {row[0] for row in database.execute(f"SELECT id FROM {table}")}


def test_old_runs_go_with_everything_that_belongs_to_them(store):
    assert count_old_runs(store, BEFORE) == 10
    assert delete_old_runs(store, BEFORE) == 10
    kept = {f"run{days}" for days in range(81, 91)}
    for table in ("flow_run", "task_run", "log", "artifact"):
        assert ids(store, table) == kept
    assert count_old_runs(store, BEFORE) == delete_old_runs(store, BEFORE) == 0


@pytest.mark.parametrize("state", ["RUNNING", "SCHEDULED", "PAUSED", "PENDING", "CANCELLING"])
def test_a_run_that_has_not_ended_stays(store, state):
    with opened(store) as database:
        add(database, "busy", 500, state)
        database.commit()
    delete_old_runs(store, BEFORE)
    assert "busy" in ids(store, "flow_run") & ids(store, "log")


def test_the_newest_version_of_an_artifact_stays_however_old_it_is(store):
    with opened(store) as database:
        add(database, "report of spring", 300)
        database.execute(
            "INSERT INTO artifact_collection VALUES ('other', 'report of spring', "
            "'report of spring')"
        )
        database.commit()
    delete_old_runs(store, BEFORE)
    assert "report of spring" in ids(store, "artifact") & ids(store, "flow_run")


def test_rows_without_a_run_go_when_they_are_old(store):
    with opened(store) as database:
        for name, days in (("old", 200), ("young", 3)):
            row = (name, "lost", stored(days))
            database.execute("INSERT INTO log VALUES (?, ?, ?, '')", row)
            database.execute("INSERT INTO artifact VALUES (?, ?, ?)", row)
        database.execute("INSERT INTO log VALUES ('none', NULL, ?, '')", (stored(200),))
        database.commit()
    delete_old_runs(store, BEFORE)
    assert "young" in ids(store, "log") & ids(store, "artifact")
    assert not {"old", "none"} & (ids(store, "log") | ids(store, "artifact"))


def test_the_file_shrinks_if_much_of_it_was_deleted(store):
    path = store.prefect_home / "prefect.db"
    before = path.stat().st_size
    delete_old_runs(store, BEFORE)
    assert path.stat().st_size < 0.7 * before


def test_a_server_that_writes_at_the_same_time_is_waited_for_and_then_reported(store):
    with opened(store) as database:
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(StageError, match="database is locked; the history was not cleaned"):
            delete_old_runs(store, BEFORE, timeout_seconds=0.1)
        database.execute("COMMIT")
    assert delete_old_runs(store, BEFORE, timeout_seconds=0.1) == 10


CHECKPOINT = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 121)  # the lock of whoever empties the log
    print("locked", flush=True)
    time.sleep(0.5)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="locks as on POSIX systems")
def test_the_log_is_emptied_even_if_the_server_is_just_doing_so(store):
    log = store.prefect_home / "prefect.db-wal"
    with opened(store) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("INSERT INTO log VALUES ('new', 'run81', '', '')")
        server.commit()
        assert log.stat().st_size > 0
        shared = store.prefect_home / "prefect.db-shm"
        command = [sys.executable, "-c", CHECKPOINT, str(shared)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
            assert other.stdout
            assert other.stdout.readline() == b"locked\n"
            assert delete_old_runs(store, BEFORE) == 10
        assert log.stat().st_size == 0


def test_a_disk_too_full_to_compact_the_file_is_a_warning(store, monkeypatch, caplog):
    class Full(sqlite3.Connection):
        def execute(self, statement, *parameters):
            if statement == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(statement, *parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **keys: connect(path, factory=Full, **keys)
    )
    assert delete_old_runs(store, BEFORE) == 10
    assert "cleaned, but not compacted: database or disk is full" in caplog.text


def test_without_a_database_or_with_one_elsewhere_nothing_is_deleted(store, tmp_path, monkeypatch):
    assert delete_old_runs(Store(tmp_path / "empty"), BEFORE) == 0
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://x")
    assert count_old_runs(store, BEFORE) == delete_old_runs(store, BEFORE) == 0
    assert len(ids(store, "flow_run")) == 20


def test_a_damaged_database_is_one_line(store):
    (store.prefect_home / "prefect.db").write_bytes(b"SQLite format 3\0 garbage" * 100)
    with pytest.raises(StageError, match=r"prefect.db: .*; the history was not cleaned"):
        count_old_runs(store, BEFORE)
