"""What two requests that read and then write at the same time get from Prefect on SQLite."""

import asyncio

import pytest
import sqlalchemy as sa

from flows.server.corrections.transactions import take_the_write_lock_first

WRITERS = 8


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    """Prefect's access to an SQLite file; its class is restored after the test."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    original = AioSqliteConfiguration.begin_transaction
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", original)
    return AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")


async def count_up(configuration, meeting: asyncio.Barrier | None) -> None:
    """Read a number, wait for the other writers, and write the next number."""
    engine = await configuration.engine()
    async with (
        await configuration.session(engine) as session,
        configuration.begin_transaction(session),
    ):
        number = (await session.execute(sa.text("SELECT n FROM t"))).scalar()
        if meeting:
            await meeting.wait()
        await session.execute(sa.text(f"UPDATE t SET n = {number + 1}"))


def outcomes(configuration, *, meet: bool) -> tuple[list[BaseException | None], int]:
    """Let several writers count up at once; their errors, and the last number."""

    async def run() -> tuple[list[BaseException | None], int]:
        engine = await configuration.engine()
        async with engine.connect() as connection:
            await connection.execute(sa.text("CREATE TABLE t (n INTEGER)"))
            await connection.execute(sa.text("INSERT INTO t VALUES (0)"))
        meeting = asyncio.Barrier(WRITERS) if meet else None
        writers = [count_up(configuration, meeting) for _ in range(WRITERS)]
        errors = await asyncio.gather(*writers, return_exceptions=True)
        async with engine.connect() as connection:
            number = (await connection.execute(sa.text("SELECT n FROM t"))).scalar()
        await engine.dispose()
        return errors, number

    return asyncio.run(run())


def test_prefect_alone_refuses_who_read_before_another_one_wrote(configuration):
    errors, _ = outcomes(configuration, meet=True)
    assert "database is locked" in str(next(filter(None, errors)))


def test_every_writer_waits_for_its_turn(configuration):
    take_the_write_lock_first()
    errors, number = outcomes(configuration, meet=False)
    assert errors == [None] * WRITERS
    assert number == WRITERS
