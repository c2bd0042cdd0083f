"""The book of support-data syncs, and the lock that keeps two of one organisation apart.

The lock is a session's advisory lock: it goes with the process that dies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from psycopg.types.json import Jsonb

from mixhaul_store import totals
from mixhaul_store.database import Database
from mixhaul_store.totals import Count

# Any number will do, as long as nothing else in this database uses it.
_LOCK_SPACE = 0x6D697873


@asynccontextmanager
async def lock(db: Database, organisation_id: int) -> AsyncIterator[None]:
    """Hold the organisation's sync, by CronJob, command line or leader; wait for whoever holds it."""
    key = f"{_LOCK_SPACE}:{organisation_id}"
    async with db.connection() as connection:
        # The wait may be long; the lock outlives this transaction, whose settings don't.
        async with connection.transaction():
            await connection.execute("SELECT set_config('statement_timeout', '0', true)")
            await connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (key,))
        try:
            yield
        finally:
            if not connection.closed:
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))


async def start(db: Database, *, source: str, organisation_id: int | None, reason: str) -> int:
    """Open a run; its id."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO sync_runs (source, organisation_id, reason) VALUES (%s, %s, %s) RETURNING id",
            (source, organisation_id, reason),
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (RETURNING)
    run: int = row[0]
    return run


async def finish(
    db: Database,
    run: int,
    *,
    error: str | None,
    counts: Mapping[str, int],
    short_lists: Sequence[str] = (),
    calls: Iterable[Count] = (),
) -> None:
    """Close a run: it failed where there is an error. The run and its calls to MiX join the totals with it."""
    result = "failed" if error else "succeeded"
    async with db.transaction() as connection:
        cursor = await connection.execute(
            "UPDATE sync_runs SET finished_at = clock_timestamp(), result = %s, error = %s, counts = %s,"
            " short_lists = %s WHERE id = %s RETURNING source",
            (
                result,
                None if error is None else error.replace("\0", "\ufffd")[:2000],
                Jsonb(dict(counts)),
                list(short_lists),
                run,
            ),
        )
        row = await cursor.fetchone()
        if row is None:
            return  # its organisation was deleted meanwhile
        ended = Count("sync_runs_total", {"result": result})
        doubted = [Count("sync_short_lists_total", {"list": text.partition(":")[0]}) for text in short_lists]
        await totals.add_all(connection, source=row[0], counts=[ended, *doubted, *calls])
