"""Old lines of the books: permits, runs, requests, quarantined records. The audit log is kept for ever.

What is still needed stays, however old: the last run of each source and organisation, the requests that nobody has
finished, and the records that could not be stored and whose raw pages are still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, LiteralString

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch

KEPT_DAYS: Final = 90

_DAYS: LiteralString = "clock_timestamp() - make_interval(days => %(days)s)"
_OLD: dict[str, LiteralString] = {
    "request_permits": "SELECT id FROM request_permits WHERE frees_at < clock_timestamp() - interval '1 day'",
    "sync_runs": f"SELECT id FROM sync_runs r WHERE started_at < {_DAYS} AND EXISTS ("
    "SELECT FROM sync_runs n WHERE n.source = r.source AND n.organisation_id IS NOT DISTINCT FROM r.organisation_id"
    " AND n.result = 'succeeded' AND n.started_at > r.started_at)",
    "work_requests": f"SELECT id FROM work_requests WHERE finished_at < {_DAYS}",
    "quarantined_records": "SELECT q.id FROM quarantined_records q JOIN organisations o ON o.id = q.organisation_id"
    f" WHERE q.resolved_at < {_DAYS} OR q.observed_at < clock_timestamp() - make_interval(days => o.raw_days)",
}


async def outlook(db: Database, *, days: int = KEPT_DAYS) -> Mapping[str, int]:
    """How many rows of each table are old."""
    found: dict[str, int] = {}
    async with db.connection() as connection:
        for table, old in _OLD.items():
            cursor = await connection.execute(f"SELECT count(*) FROM ({old}) AS old".encode(), {"days": days})
            row = await cursor.fetchone()
            found[table] = row[0] if row else 0
    return found


async def prune(
    db: Database, *, epoch: Epoch, days: int = KEPT_DAYS, batch: int = 1000, pause_seconds: float = 0.2
) -> Mapping[str, int]:
    """Delete them in batches; how many of each table. Raises `StaleEpoch`."""
    gone: dict[str, int] = {}
    for table, old in _OLD.items():
        statement = f"DELETE FROM {table} WHERE id IN ({old} LIMIT %(batch)s)"
        gone[table] = 0
        while True:
            async with db.transaction() as connection:
                await assert_epoch(connection, epoch)
                values: dict[str, Any] = {"days": days, "batch": batch}
                deleted = (await connection.execute(statement.encode(), values)).rowcount
            gone[table] += deleted
            if deleted < batch:
                break
            await asyncio.sleep(pause_seconds)
    return gone
