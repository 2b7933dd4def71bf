"""Delete the copies of reports in Prefect's database once the reports themselves are gone.

Prefect's own way to delete an artifact leaves its text in free pages of the file; here those pages
are cleared too. That needs SQLite. A database elsewhere must be cleaned by its owner; the error
says what to delete.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from flows.errors import StageError
from flows.store.runs import Store
from system.markdown import markdown

DATABASE = "prefect.db"
CONNECTION_URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
TABLES = (
    ("artifact", "key", "description"),
    ("artifact_collection", "key", "description"),
    ("events", "json_extract(payload, '$.key')", "json_extract(payload, '$.description')"),
)
"""Tables that hold artifacts: name, and SQL expressions for an artifact's key and description."""
PAGE = " The whole report: "
"""In the description of a report, before the path of its page."""
TIMEOUT_SECONDS = 60
"""How long to wait for a running server to release the database."""
CHECKPOINT_SECONDS = 10
"""How long to wait for its own checkpoint of the write-ahead log."""


def purge_reports(store: Store, dataset: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> int:
    """Delete every report of a dataset from Prefect's database whose file is gone.

    Returns:
        The number of rows deleted.

    Raises:
        StageError: if the database cannot be cleaned; names the artifact to delete by hand.
    """
    path = store.prefect_home / DATABASE
    key = f"report-{dataset}"
    if CONNECTION_URL in os.environ:
        raise StageError(f"{CONNECTION_URL}: delete the artifact {key!r} there by hand")
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=timeout_seconds)) as database:
            return _purge(database, key)
    except sqlite3.Error as error:
        raise StageError(f"{path}: {error}; delete the artifact {key!r} by hand") from None


def describe(verdict: str, page: Path) -> str:
    """The description of the artifact of a report, in Markdown."""
    return f"{markdown(verdict)}{PAGE}{page}"


def page_of(description: str) -> Path:
    """The page that a description names; that of an earlier version is nothing but its path."""
    return Path(description.rpartition(PAGE)[2])


def _purge(database: sqlite3.Connection, key: str) -> int:
    deleted = 0
    for table, name, description in TABLES:
        query = f"SELECT id, {description} FROM {table} WHERE {name} = ?"  # noqa: S608 (constants)
        rows = database.execute(query, (key,)).fetchall()
        gone = [(row,) for row, text in rows if text and not page_of(text).exists()]
        database.executemany(f"DELETE FROM {table} WHERE id = ?", gone)  # noqa: S608
        deleted += len(gone)
    database.commit()
    compact(database)  # otherwise earlier versions remain in free pages
    return deleted


def compact(database: sqlite3.Connection) -> None:
    """Rewrite the file without free pages, and empty the write-ahead log.

    While a server moves its part of the log to the file, SQLite refuses to do so as well, at once
    and whatever the timeout; a log that is not emptied is longer than the file.
    """
    database.execute("VACUUM")
    retrying = Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(CHECKPOINT_SECONDS),
        retry_error_callback=lambda _: None,
    )
    retrying(lambda: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
