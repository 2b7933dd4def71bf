"""Let SQLite's writers wait for each other instead of failing with "database is locked".

Prefect begins a transaction without a lock, reads, and writes then. If another transaction has
written in between, SQLite refuses at once, whatever the busy timeout, because what was read is out
of date. The client gets a 503, which the UI does not repeat, and an event that should have ended
the wait for a heartbeat is lost. Reported as PrefectHQ/prefect 18934; so up to 3.9.1. A transaction
that takes the write lock as it begins (BEGIN IMMEDIATE) waits for up to Prefect's busy timeout of
60 seconds. Readers are not affected: they begin no transaction, and the write-ahead log lets them
read while another one writes.
"""

from contextlib import AbstractAsyncContextManager
from functools import wraps

from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def take_the_write_lock_first() -> None:
    """Begin every transaction of Prefect on SQLite with BEGIN IMMEDIATE."""
    original = AioSqliteConfiguration.begin_transaction

    @wraps(original)
    def begin_immediately(
        self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = True
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return original(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_immediately  # pyright: ignore[reportAttributeAccessIssue]
