"""Fill Prefect's database with copies of one real run, through Prefect's own tables.

A copy has everything that the run has: states, tasks, log lines, artifacts and, if it is young
enough for Prefect to keep them, events. Ids are new, times are shifted, and the dataset is another.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OF_A_RUN = ("flow_run_state", "task_run", "log", "artifact")
"""Tables with a column flow_run_id."""
EVENT_DAYS = 7
LONGEST_TEXT = 20_000
"""Longer texts are reports with pictures, which name no ids."""
REPEATED = "prefect.artifact-collection.updated"
"""Events that hold a whole report; Prefect deletes them after an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Of which dataset and deployment a copy is, and how long before the original it ran."""

    dataset: str
    deployment: str
    before: timedelta


def copy_run(run: str, original: str, deployment: str, copies: Sequence[Copy]) -> None:
    """Insert copies of a finished run, oldest first.

    Args:
        run, deployment: ids.
        original: the dataset of the run.
    """
    asyncio.run(_copy_run(UUID(run), original, deployment, copies))


async def _copy_run(run: UUID, original: str, deployment: str, copies: Sequence[Copy]) -> None:
    from prefect.server.database import provide_database_interface

    database = provide_database_interface()
    tables = database.Base.metadata.tables
    async with database.session_context() as session:
        rows = await _rows_of(session, tables, run)
    known = [str(row["id"]) for found in rows.values() for row in found]
    for one in copies:
        ids = {deployment: one.deployment} | {known_id: str(uuid4()) for known_id in known}
        changed = CopiedRows(original=original, copy=one, ids=ids)
        is_young = one.before < timedelta(days=EVENT_DAYS)
        kept = {
            name: [changed(row) for row in found]
            for name, found in rows.items()
            if is_young or not name.startswith("event")
        }
        async with database.session_context(begin_transaction=True) as session:
            await _insert(session, tables, kept)


async def _rows_of(session: Any, tables: Mapping[str, Any], run: UUID) -> dict[str, list[dict]]:
    """All rows of a run, by table, in an order in which they can be inserted."""
    import sqlalchemy as sa

    async def read(name: str, condition: Any) -> list[dict]:
        found = await session.execute(sa.select(tables[name]).where(condition))
        return [dict(row) for row in found.mappings()]

    rows = {"flow_run": await read("flow_run", tables["flow_run"].c.id == run)}
    for name in OF_A_RUN:
        rows[name] = await read(name, tables[name].c.flow_run_id == run)
    tasks = [row["id"] for row in rows["task_run"]]
    states = tables["task_run_state"]
    rows["task_run_state"] = await read("task_run_state", states.c.task_run_id.in_(tasks))
    events, parts = tables["events"], tables["event_resources"]
    mine = sa.select(parts.c.event_id).where(parts.c.resource_id == f"prefect.flow-run.{run}")
    rows["events"] = await read("events", events.c.id.in_(mine) & (events.c.event != REPEATED))
    ids = [row["id"] for row in rows["events"]]
    rows["event_resources"] = await read("event_resources", parts.c.event_id.in_(ids))
    return rows


async def _insert(session: Any, tables: Mapping[str, Any], rows: Mapping[str, list[dict]]) -> None:
    """Insert rows; runs name their states, which name their runs, so the former come last."""
    import sqlalchemy as sa

    for name, found in rows.items():
        if found:
            blank = {"state_id": None} if name in ("flow_run", "task_run") else {}
            await session.execute(sa.insert(tables[name]), [{**row, **blank} for row in found])
    for name in ("flow_run", "task_run"):
        for row in rows[name]:
            table = tables[name]
            named = sa.update(table).where(table.c.id == row["id"])
            await session.execute(named.values(state_id=row["state_id"]))
    newest = tables["artifact_collection"]
    for row in rows["artifact"]:
        await session.execute(sa.delete(newest).where(newest.c.key == row["key"]))
        known = {name: value for name, value in row.items() if name in newest.c}
        await session.execute(sa.insert(newest).values(known | {"latest_id": row["id"]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedRows:
    """Makes the rows of a copy from those of the original.

    Attributes:
        ids: from the ids of the original to those of the copy.
    """

    original: str
    copy: Copy
    ids: Mapping[str, str]

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with other ids, times and names."""
        changed = {name: self._value(value) for name, value in row.items()}
        return changed | ({"idempotency_key": str(uuid4())} if "idempotency_key" in row else {})

    def _value(self, value: Any) -> Any:
        if isinstance(value, UUID):
            return UUID(self.ids.get(str(value), str(value)))
        if isinstance(value, datetime):
            return value - self.copy.before
        if isinstance(value, str) and len(value) < LONGEST_TEXT:
            text = ID.sub(lambda found: self.ids.get(found[0], found[0]), value)
            return text.replace(self.original, self.copy.dataset)
        if isinstance(value, dict):
            return {self._value(name): self._value(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._value(one) for one in value]
        return value
