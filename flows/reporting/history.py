"""Delete old runs from Prefect's history: flow runs, with their tasks, states, logs and artifacts.

Prefect itself deletes events after a week. Its way to delete flow runs also deletes the newest
version of their artifacts, such as the report of a dataset that has not run for months; here a flow
run that wrote the newest version of any artifact is kept.

Works on Prefect's SQLite file directly, with or without a running server. A database elsewhere is
its owner's; `PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs` makes its server clean it.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flows.errors import StageError
from flows.reporting.artifact_purge import CONNECTION_URL, DATABASE, TIMEOUT_SECONDS, compact
from flows.store.runs import Store

logger = logging.getLogger(__name__)
OLD_RUNS = """
SELECT id FROM flow_run
WHERE state_type IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') AND end_time < ?
AND id NOT IN (SELECT flow_run_id FROM artifact_collection WHERE flow_run_id IS NOT NULL)
"""
DELETIONS = (
    "DELETE FROM log WHERE flow_run_id IN (SELECT id FROM old)",
    "DELETE FROM artifact WHERE flow_run_id IN (SELECT id FROM old)",
    "DELETE FROM flow_run WHERE id IN (SELECT id FROM old)",  # cascades to tasks and states
)
WITHOUT_RUN = "(flow_run_id IS NULL OR flow_run_id NOT IN (SELECT id FROM flow_run))"
NOT_LATEST = "id NOT IN (SELECT latest_id FROM artifact_collection)"
ORPHANS = (
    f"DELETE FROM log WHERE timestamp < ? AND {WITHOUT_RUN}",  # noqa: S608 (constants)
    f"DELETE FROM artifact WHERE created < ? AND {WITHOUT_RUN} AND {NOT_LATEST}",  # noqa: S608
)
"""Rows that a killed deletion, or another way to delete a run, has left."""
BATCH = 100
"""Flow runs per transaction: a server that writes at the same time waits for milliseconds."""
FREE_SHARE = 0.25
"""Compact the file once this much of it is free: SQLite reuses free pages, so smaller gaps cost
nothing, while compacting needs the size of the file twice."""


def is_elsewhere() -> bool:
    """Whether Prefect's database is not the store's SQLite file."""
    return CONNECTION_URL in os.environ


def count_old_runs(store: Store, before: datetime) -> int:
    """How many flow runs `delete_old_runs` would delete; 0 if the database is elsewhere.

    Raises:
        StageError: if the database cannot be read.
    """
    if is_elsewhere() or not _path(store).exists():
        return 0
    with _opened(store, TIMEOUT_SECONDS) as database:
        query = f"SELECT count(*) FROM ({OLD_RUNS})"  # noqa: S608 (constants)
        return database.execute(query, (_stored(before),)).fetchone()[0]


def delete_old_runs(
    store: Store, before: datetime, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> int:
    """Delete the flow runs that ended before a moment, and compact the file if that is worth it.

    Args:
        timeout_seconds: how long to wait for a running server to release the database.

    Returns:
        The number of flow runs deleted.

    Raises:
        StageError: if the database cannot be cleaned.
    """
    if is_elsewhere() or not _path(store).exists():
        return 0
    with _opened(store, timeout_seconds) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("CREATE TEMP TABLE old (id)")
        total = 0
        while deleted := _delete_batch(database, _stored(before)):
            total += deleted
        with database:
            for statement in ORPHANS:
                database.execute(statement, (_stored(before),))
        _compact(database)
    return total


def _delete_batch(database: sqlite3.Connection, before: str) -> int:
    with database:
        database.execute("DELETE FROM old")
        database.execute(f"INSERT INTO old {OLD_RUNS} LIMIT {BATCH}", (before,))
        for statement in DELETIONS:
            database.execute(statement)
        return database.execute("SELECT count(*) FROM old").fetchone()[0]


def _compact(database: sqlite3.Connection) -> None:
    free, pages = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("freelist_count", "page_count")
    )
    if free <= FREE_SHARE * pages:
        return
    try:
        compact(database)
    except sqlite3.OperationalError as error:
        logger.warning("Prefect's database was cleaned, but not compacted: %s", error)


@contextmanager
def _opened(store: Store, timeout_seconds: float) -> Iterator[sqlite3.Connection]:
    path = _path(store)
    try:
        # IMMEDIATE: a transaction that reads first cannot write once a server has written.
        opened = sqlite3.connect(path, timeout=timeout_seconds, isolation_level="IMMEDIATE")
        with closing(opened) as database:
            yield database
    except sqlite3.Error as error:
        raise StageError(f"{path}: {error}; the history was not cleaned") from None


def _path(store: Store) -> Path:
    return store.prefect_home / DATABASE


def _stored(moment: datetime) -> str:
    """A moment as Prefect stores it in SQLite: UTC without offset."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
