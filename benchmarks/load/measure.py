"""Memory and processor time of the server, and the size of its database."""

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.flows.serving import Serving
from tests.processes import descendants

DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
MEGABYTE = 1e6


def server_of(serving: Serving) -> int:
    """The process of Prefect's server below the one that serves."""
    assert serving.process
    for pid in sorted(descendants(serving.process.pid)):
        with suppress(OSError):
            if b"flows.server" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise RuntimeError("the server is gone")


def memory_megabytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE)


def processor_seconds(pid: int) -> float:
    """What a process has used so far, with those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def browser_seconds(serving: Serving) -> float:
    """Processor seconds of the browser: of all our processes except those of the server."""
    assert serving.process
    served = {serving.process.pid, *descendants(serving.process.pid)}
    total = 0.0
    for pid in descendants(os.getpid()) - served:
        with suppress(OSError):
            total += processor_seconds(pid)
    return total


def database_megabytes(serving: Serving) -> int:
    """The size of Prefect's database, with the write-ahead log if it is SQLite's."""
    url = serving.environment.get(DATABASE)
    if url:
        return round(asyncio.run(_postgresql_bytes(url)) / MEGABYTE)
    files = (serving.artifacts / ".prefect").glob("prefect.db*")
    return round(sum(path.stat().st_size for path in files) / MEGABYTE)


async def _postgresql_bytes(url: str) -> int:
    import asyncpg

    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()


def old_runs(serving: Serving, days: float) -> int:
    """How many flow runs ended longer ago than this."""
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return serving.api("POST", "flow_runs/count", {"flow_runs": {"end_time": {"before_": before}}})


def processor() -> str:
    """The name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
