"""The copies of reports in Prefect's database, removed when the reports are.

Prefect's own way to delete an artifact leaves its text in free pages of the file; here they go
too. That needs SQLite: a database elsewhere is its owner's to clean, and is said so.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from flows.errors import StageError
from flows.store.runs import Store

DATABASE = "prefect.db"
ELSEWHERE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
HOLDERS = (
    ("artifact", "key", "description"),
    ("artifact_collection", "key", "description"),
    ("events", "json_extract(payload, '$.key')", "json_extract(payload, '$.description')"),
)
"""Tables with the text of artifacts: what says an artifact's key, and what its report's path."""
PATIENCE_SECONDS = 60
"""So long may a server at work hold the database."""


def remove_shown_reports(store: Store, dataset: str) -> int:
    """Remove from Prefect's database every report of a dataset whose file is gone.

    Returns:
        How many rows were removed.

    Raises:
        StageError: if the database cannot be cleaned; says which artifact to delete by hand.
    """
    path = store.prefect_home / DATABASE
    key = f"report-{dataset}"
    if ELSEWHERE in os.environ:
        raise StageError(f"{ELSEWHERE}: delete the artifact {key!r} there by hand")
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS)) as database:
            return _remove(database, key)
    except sqlite3.Error as error:
        raise StageError(f"{path}: {error}; delete the artifact {key!r} by hand") from None


def _remove(database: sqlite3.Connection, key: str) -> int:
    removed = 0
    for table, name, place in HOLDERS:
        query = f"SELECT id, {place} FROM {table} WHERE {name} = ?"  # noqa: S608 (our own words)
        rows = database.execute(query, (key,)).fetchall()
        gone = [(row,) for row, report in rows if report and not Path(report).exists()]
        database.executemany(f"DELETE FROM {table} WHERE id = ?", gone)  # noqa: S608
        removed += len(gone)
    database.commit()
    database.execute("VACUUM")  # or earlier versions stand on in pages that are free
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed
